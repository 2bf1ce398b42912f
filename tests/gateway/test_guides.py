"""The guides to the gateway: their policies are read, their commands say what they show."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.gateway.running import Gateway, running_gateway

from tritonkit.gateway.commands.gateway import gateway as gateway_command
from tritonkit.gateway.tenants.settings import Tenant

if TYPE_CHECKING:
    from conftest import Triton

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
ID = re.compile(r"[0-9a-f]{32}")
SHOP = "shop-0123456789abcdef"


def blocks(guide: str) -> list[tuple[str, str]]:
    return BLOCK.findall((GUIDES / guide).read_text(encoding="utf-8"))


def commands(guide: str) -> Iterator[tuple[str, str, str]]:
    """Each command of a guide with what it prints: the kind of that, and its text."""
    found = blocks(guide)
    for (kind, command), (shown, text) in pairwise(found):
        if kind == "bash" and shown in ("json", "text"):
            yield command, shown, text


def run(command: str, folder: Path, variables: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), (command, done)
    return done.stdout


def same_shape(shown: Any, said: Any, where: str = "") -> None:
    """The same keys and words; numbers, ids and vectors are those of another model."""
    if isinstance(shown, dict):
        assert isinstance(said, dict), where
        if not where.endswith("origins"):
            assert shown.keys() == said.keys(), where
        for key in shown.keys() & said.keys():
            same_shape(shown[key], said[key], f"{where}.{key}")
    elif isinstance(shown, list):
        assert isinstance(said, list), where
        assert len(shown) == len(said), where
        for number, (one, other) in enumerate(zip(shown, said, strict=True)):
            same_shape(one, other, f"{where}[{number}]")
    elif isinstance(shown, str) and not shown.endswith("..."):
        assert ID.sub("ID", shown) == ID.sub("ID", said), where
    else:
        assert isinstance(said, type(shown)), where


def check(gateway: Gateway, guide: str, folder: Path, before: str, **variables: str) -> int:
    count = 0
    for said, kind, text in commands(guide):
        # A job is of a model, not of a text model.
        asked = said.replace('"model": "minilm", "inputs"', '"model": "embedder", "inputs"')
        printed = run(before + asked, folder, {"GATEWAY": gateway.url, **variables})
        if kind == "json":
            same_shape(json.loads(text), json.loads(printed))
        else:
            parts = [re.escape(part) for part in text.strip().split("...")]
            assert re.match(".*?".join(parts), printed.strip(), re.DOTALL), (asked, printed)
        count += 1
    return count


def test_the_guide_to_the_routes_for_applications(triton: Triton, tmp_path: Path) -> None:
    guide = "gateway-api.md"
    (policy,) = [text for kind, text in blocks(guide) if kind == "toml"]
    (before,) = [text for kind, text in blocks(guide) if kind == "bash" and "post()" in text]
    policy = policy.replace("http://localhost:8000", triton.http)
    policy = policy.replace('"events.sqlite"', f'"{tmp_path / "events.sqlite"}"')
    policy = policy.replace('"faq.txt"', f'"{tmp_path / "faq.txt"}"')
    # A model that needs no second to start.
    policy = policy.replace('input = "text"', 'model = "embedder"\ninput = "text"')
    (tmp_path / "faq.txt").write_text("How do I reset my password?\nWhere is my parcel?\n")
    with running_gateway(policy, folder=tmp_path) as gateway:
        ours = before.replace("GATEWAY=http://localhost:8080", "")
        assert check(gateway, guide, tmp_path, ours) == 9
        assert gateway.stop() == 0


def test_the_guide_to_tenants(triton: Triton, tmp_path: Path, monkeypatch: Any) -> None:
    guide = "gateway-tenants.md"
    (policy,) = [text for kind, text in blocks(guide) if kind == "toml"]
    for name in ("SHOP_TOKEN", "OPERATOR_TOKEN", "OPERATOR_TOKEN_OLD"):
        monkeypatch.setenv(name, f"{name.lower().replace('_', '-')}-0123456789")
    monkeypatch.setenv("SHOP_TOKEN", SHOP)
    policy = policy.replace("http://localhost:8000", triton.http)
    with running_gateway(policy, "--workers", "2", folder=tmp_path) as gateway:
        for worker in range(2):
            gateway.wait_for(f"worker {worker} serves")
        assert check(gateway, guide, tmp_path, "") == 3
        expected = {("token", "anyone"), ("right", "shop"), "0", "1"}
        seen: set[Any] = set()
        for _ in range(100):
            # The numbers of the other worker are a second old at most.
            said = run('curl -sS "$GATEWAY/metrics"', tmp_path, {"GATEWAY": gateway.url})
            seen = set(re.findall(r'refused_total\{reason="(\w+)",tenant="(\w+)"', said))
            seen |= set(re.findall(r'in_flight\{worker="(\d)"', said))
            if seen == expected:
                break
            time.sleep(0.1)
        assert seen == expected
        assert gateway.stop() == 0


def test_a_new_token_is_one() -> None:
    printed = CliRunner().invoke(gateway_command, ["--new-token"], catch_exceptions=False).output
    (token,) = re.findall(r'^token = "(.*)"$', printed, re.MULTILINE)
    (digest,) = re.findall(r'^token_sha256 = "(.*)"$', printed, re.MULTILINE)
    assert Tenant("a", token=token).digests == Tenant("a", token_sha256=digest).digests


@pytest.mark.parametrize("right", ["infer", "read", "jobs", "outcomes", "metrics", "live", "admin"])
def test_every_right_is_explained(right: str) -> None:
    assert f"| `{right}` |" in (GUIDES / "gateway-tenants.md").read_text(encoding="utf-8")
