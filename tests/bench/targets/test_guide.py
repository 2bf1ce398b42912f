"""The guide's commands name options that there are, and targets that can be made."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import trustme

from tritonkit.bench.commands.target_options import TargetChoice, target_options
from tritonkit.bench.targets.blueprint import Blueprint

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "measure-a-target.md"
COMMANDS = re.findall(r"^tritonkit bench run (.*)$", GUIDE.read_text("utf-8"), re.MULTILINE)


def blueprint(arguments: str) -> Blueprint:
    found: list[Blueprint] = []

    @click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
    @target_options
    def command(target: TargetChoice) -> None:
        found.append(target.blueprint)

    command.main(shlex.split(arguments), standalone_mode=False)
    return found[0]


def test_each_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    authority = trustme.CA()
    authority.cert_pem.write_to_path("ca.pem")
    mine = authority.issue_cert("me@example.org")
    mine.cert_chain_pems[0].write_to_path("me.pem")
    mine.private_key_pem.write_to_path("me.key")
    Path("serving.toml").write_text('server = "http://localhost:8000"\n')

    made = [blueprint(arguments) for arguments in COMMANDS]

    assert [each.url.partition(":")[0] for each in made] == ["http", "grpc", "https", "grpcs", ""]
    assert [each.policy is not None for each in made] == [False] * 4 + [True]
    assert made[2].headers == {"authorization": "Bearer $TOKEN"}
    assert made[3].tls is not None
    assert made[3].tls.key == Path("me.key")
