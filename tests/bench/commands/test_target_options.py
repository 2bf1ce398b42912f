"""Which server, and by what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
import trustme
from click.testing import CliRunner

from tritonkit.bench.commands.target_options import TargetChoice, target_options
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.bench.targets.grpc import GrpcTarget
from tritonkit.errors import ConfigError, PolicyError

POLICY = """\
server = "http://localhost:8000"

[[layers]]
type = "cache"
stores = [{ type = "memory", size = "4MB" }]
"""


def run(*arguments: str) -> Any:
    """What the command got, or the error that it ended with."""
    got: list[Any] = []

    @click.command()
    @click.option("--seed", default=0)
    @target_options
    def command(target: TargetChoice, seed: int) -> None:
        got.append((target, seed))

    result = CliRunner().invoke(command, arguments)
    if isinstance(result.exception, ConfigError):
        raise result.exception
    assert result.exit_code == 0, result.output
    [(target, _)] = got
    return target, result.stderr


def chosen(*arguments: str) -> Blueprint:
    target, _ = run(*arguments)
    blueprint: Blueprint = target.blueprint
    return blueprint


def test_defaults() -> None:
    assert chosen("m") == Blueprint(model="m", url="http://localhost:8000")
    assert chosen("m", "--protocol", "grpc").url == "grpc://localhost:8001"


def test_everything(tmp_path: Path) -> None:
    blueprint = chosen(
        *("m", "--url", "grpcs://h:1", "--protocol", "grpc", "--version", "3"),
        *("--header", "authorization=Bearer a=b", "--header", "x-user=u1"),
    )
    assert blueprint == Blueprint(
        model="m",
        version="3",
        url="grpcs://h:1",
        headers={"authorization": "Bearer a=b", "x-user": "u1"},
    )
    assert isinstance(blueprint.target(), GrpcTarget)


def test_a_policy(tmp_path: Path) -> None:
    path = tmp_path / "serving.toml"
    path.write_text(POLICY)
    blueprint = chosen("m", "--policy", str(path), "--tag", "user=u{n}", "--keep-cache")
    assert blueprint.policy is not None
    assert blueprint.policy.text == POLICY
    assert blueprint.tags == {"user": "u{n}"}
    assert blueprint.keep_cache


def test_layers_that_do_not_help_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "serving.toml"
    path.write_text(POLICY.replace("[[layers]]", '[[layers]]\ntype = "breaker"\n\n[[layers]]'))
    _, warned = run("m", "--policy", str(path))
    assert warned.startswith(f"Warning: {path}: line ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "ftp://h"], "url must start with http://"),
        (["--url", "localhost:8000"], "url must start with http://"),
        (["--url", ""], "url must start with http://"),
        (["--url", "http://h", "--protocol", "grpc"], "--protocol grpc needs a url of grpc://"),
        (["--header", "authorization"], "--header must be NAME=VALUE"),
        (["--ca-file", "FILE"], "TLS files go with https:// or grpcs://"),
        (["--url", "https://h", "--ca-file", "missing.pem"], "missing.pem cannot be read"),
        (["--url", "https://h", "--ca-file", "FILE"], "holds no certificates"),
        (["--url", "https://h", "--key-file", "FILE"], "a key needs its certificate"),
        (["--url", "https://h", "--cert-file", "FILE"], "must be a certificate and its key"),
        (["--tag", "user=1"], "need the layers of a policy"),
        (["--keep-cache"], "need the layers of a policy"),
        (["--policy", "POLICY", "--url", "http://h"], "both name a server"),
        (["--policy", "POLICY", "--protocol", "http"], "both name a server"),
        (["--policy", "POLICY", "--header", "a=b"], "go with a url"),
        (["--policy", "missing.toml"], "missing.toml cannot be read"),
    ],
)
def test_refusals(tmp_path: Path, arguments: list[str], message: str) -> None:
    policy, file = tmp_path / "serving.toml", tmp_path / "some.pem"
    policy.write_text(POLICY)
    file.write_text("nothing")
    given = {"POLICY": str(policy), "FILE": str(file)}
    if "TLS files go" in message:
        trustme.CA().cert_pem.write_to_path(file)
    with pytest.raises(ConfigError) as caught:
        run("m", *[given.get(argument, argument) for argument in arguments])
    assert message in str(caught.value)


def test_a_wrong_policy_is_told_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "serving.toml"
    path.write_text(POLICY.replace('"4MB"', '"4 elephants"').replace('"cache"', '"cache"\nttk = 1'))
    with pytest.raises(PolicyError) as caught:
        run("m", "--policy", str(path))
    told = str(caught.value)
    assert told.startswith(f"{path} is wrong:")
    assert "line 5: layers[0].ttk" in told
    assert "line 6: layers[0].stores[0].size" in told
