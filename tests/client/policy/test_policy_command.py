"""`tritonkit policy` and `tritonkit infer --policy`, and what the guide says of them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from tritonkit.cli import main
from tritonkit.client import Client
from tritonkit.client.policy.explain import explain
from tritonkit.client.policy.policy import Policy

if TYPE_CHECKING:
    from conftest import Triton

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "guides" / "policy.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "serving.toml"
SERVER = 'server = "http://localhost:8000"\n'


def run(*arguments: str | Path, **environment: str) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)), env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)
    return tmp_path


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[number]  # type: ignore[no-any-return]


def test_a_file_that_is_right(folder: Path) -> None:
    Path("serving.toml").write_text(SERVER)
    result = run("policy", "check", "serving.toml")
    assert (result.exit_code, result.stdout) == (0, "serving.toml: nothing is wrong.\n")
    result = run("policy", "check", "serving.toml", "--json")
    assert json.loads(result.stdout) == {
        "file": "serving.toml",
        "findings": [],
        "warnings": [],
    }


def test_a_file_that_is_wrong(folder: Path) -> None:
    Path("serving.toml").write_text(SERVER + "layer = 1\njobs = 2\n")
    result = run("policy", "check", "serving.toml")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "serving.toml:2: layer: is no part of a policy; there are experiments, gateway, jobs, "
        "layers, server. Did you mean 'layers'?",
        "serving.toml:3: jobs: must be a table with a type out of local, redis, but got 2.",
    ]
    result = run("policy", "check", "serving.toml", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)["findings"]
    assert [(finding["line"], finding["key"]) for finding in found] == [(2, "layer"), (3, "jobs")]
    assert all(finding["message"] for finding in found)


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    result = run("policy", "check", "none.toml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "none.toml cannot be read" in result.stderr
    result = run("policy", "check", "none.toml", "--json")
    assert result.exit_code == 2
    assert "cannot be read" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\0", b"[", b"a = '\x80'", b"\xef\xbb\xbfa=1"])
def test_bytes_that_are_no_policy(folder: Path, data: bytes) -> None:
    Path("serving.toml").write_bytes(data)
    for command in ("check", "explain"):
        result = run("policy", command, "serving.toml")
        assert result.exit_code == (1 if command == "check" else 2)
        assert "Traceback" not in result.output


def test_explain_shows_what_is_not_the_default_and_no_secret() -> None:
    text = """
[server]
type = "http"
url = "https://triton:443"
headers = { Authorization = "Bearer geheim" }

[[layers]]
type = "cache"
ttl = "none"
stale = "none"
rows = ["embed", "rank"]
secret = "geheimgeheimgeheimgeheimgeheimgeheim"
stores = [{ type = "memory", size = "64MB" }, { type = "redis", url = "redis://:geheim@h" }]
identities = { embed = "1" }
"""
    told = explain(Policy(text, name="serving.toml"))
    lines = told.splitlines()
    assert lines[:2] == ["serving.toml: from the outside in", ""]
    assert lines[2].split(maxsplit=2) == [
        "1.",
        "cache",
        'ttl = "none", stale = "none", rows = ["embed", "rank"], secret = "***", '
        'identities = { embed = "1" }',
    ]
    assert lines[3].split() == ["memory"]
    assert lines[4].split(maxsplit=1) == ["redis", 'url = "redis://:***@h"']
    assert lines[5].split(maxsplit=1) == ["http", 'url = "https://triton:443", headers = "***"']
    assert "answered, however old" in told
    assert "until they are" not in told
    assert "geheim" not in told


def test_explain_tells_only_what_is_so() -> None:
    """A case of an option that is not set is not told."""
    plain = explain(Policy(SERVER + 'layers = ["cache"]'))
    assert "computed anew while the caller waits" in plain
    assert "stands in" not in plain
    stale = explain(Policy(SERVER + '[[layers]]\ntype="cache"\nstale="1h"\nstale_if_error="7d"'))
    assert "for 1h longer it is served at once" in stale
    assert "while the caller waits" not in stale
    assert "up to 7d too old stands in" in stale


def test_explain_gives_seconds_to_durations_alone() -> None:
    text = (
        'layers = [{ type = "split", experiment = "e", arms = [{ name = "a" }, { name = "b" }] }]'
    )
    assert "beyond a share of 1.0, or" in explain(Policy(SERVER + text))
    kept = explain(Policy(SERVER + 'layers = [{ type = "cache", ttl = 60 }]'))
    assert "until they are 60s old" in kept


def test_explain_tells_of_no_option_that_is_empty() -> None:
    text = '[[layers]]\ntype = "shadow"\nroute = { name = "s", model = "n" }\n'
    assert "the tag" not in explain(Policy(SERVER + text))
    assert "the tag user decides" in explain(Policy(SERVER + text + 'by = "user"'))


def test_explain_tells_of_nested_parts() -> None:
    text = 'layers = [{ type = "hedge", routes = [{ name = "b", layers = ["breaker"] }] }]'
    lines = [line.strip() for line in explain(Policy(SERVER + text)).splitlines()]
    assert "route 'b'" in lines
    assert "1.1.1. breaker" in lines
    assert any(line.startswith("1.1.1. breaker: where 50% of the calls") for line in lines)


def test_failures_are_told_as_they_travel() -> None:
    told = explain(Policy(SERVER + 'layers = ["cache", "coalesce"]'))
    failing = told.partition("The server does not answer, or fails:\n")[2].partition("\n\n")[0]
    assert [line.split(":")[0].strip() for line in failing.splitlines()] == ["http", "1. cache"]


def test_the_guide_shows_the_example(folder: Path) -> None:
    text = block("toml")
    assert tomllib.loads(text) == tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    Path("serving.toml").write_text(text)
    url = "redis://localhost:6379"
    assert run("policy", "check", "serving.toml", REDIS_URL=url).exit_code == 0
    assert run("policy", "explain", "serving.toml", REDIS_URL=url).stdout == block("text", 2)
    broken = text.replace('ttl = "24h"', 'ttl = "24"', 1).replace("stale =", "stael =")
    Path("serving.toml").write_text(broken)
    assert run("policy", "check", "serving.toml").stdout == block("text", 0)
    layers = '[[layers]]\ntype = "cache"\n[[layers]]\ntype = "deadline"\ntimeout = "2s"\n'
    Path("serving.toml").write_text(SERVER + layers)
    assert run("policy", "check", "serving.toml").stdout == block("text", 1)
    shown = re.search(r"^# (Client\(.*)$", GUIDE, re.MULTILINE)
    assert shown is not None
    with Client.from_policy(EXAMPLE, environment={"REDIS_URL": url}) as client:
        assert repr(client) == shown[1]


def test_infer_through_a_policy(folder: Path, triton: Triton) -> None:
    Path("serving.toml").write_text(
        'server = "${TRITON}"\nlayers = ["cache", "coalesce"]\n', encoding="utf-8"
    )
    arguments = ("infer", "echo", "-i", "IN_INT32=[[1]]", "-o", "OUT_INT32")
    result = run(*arguments, "--policy", "serving.toml", TRITON=triton.http)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1] == "OUT_INT32  INT32     1x1    1"
    result = run(*arguments, "--policy", "serving.toml", "--url", triton.http, TRITON=triton.http)
    assert result.exit_code == 2
    assert "--url and --policy both name a server" in result.stderr
    result = run(*arguments, "--policy", "serving.toml")
    assert result.exit_code == 2
    assert "server: the environment has no variable 'TRITON'" in result.stderr


def test_a_job_on_a_real_server(folder: Path, triton: Triton) -> None:
    Path("serving.toml").write_text('server = "${TRITON}"\nlayers = ["cache"]\njobs = "local"\n')
    gate = folder / "gate"
    with Client.from_policy("serving.toml", environment={"TRITON": triton.http}) as client:
        job = client.submit("gated", {"gate": [[str(gate)]]})
        assert job.status() == "running"
        gate.touch()
        assert job.result("20s")["passed"].tolist() == [[str(gate).encode()]]
