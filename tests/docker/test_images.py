"""The Dockerfiles build what is there, pin what they take, and run nothing as root."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from tritonkit.server.machine import PYTHONS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FILES = sorted((ROOT / "docker").rglob("*Dockerfile"))
OURS = [path for path in FILES if path.name == "cpu.Dockerfile" or path.parent.name == "gateway"]


class Instruction(NamedTuple):
    word: str
    rest: str


def read(path: Path) -> list[Instruction]:
    """The instructions; a line that ends in a backslash goes on with the next."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = [line.strip().partition(" ") for line in joined.splitlines() if line.strip()]
    return [Instruction(word, rest.strip()) for word, _, rest in found]


def last(path: Path, word: str) -> str:
    return [each.rest for each in read(path) if each.word == word][-1]


def exec_form(rest: str) -> list[str]:
    words = json.loads(rest[rest.index("[") :])
    assert all(isinstance(word, str) for word in words)
    return list(words)


def ignored(path: str) -> bool:
    """As .dockerignore has it: the last pattern that fits decides."""
    found = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        if fnmatch.fnmatch(path, pattern.removeprefix("**/")):
            found = not line.startswith("!")
    return found


def options_of(path: Path) -> dict[str, object]:
    """What click makes of the command line of an image."""
    from importlib import import_module

    from tritonkit.cli import COMMANDS

    words = [*exec_form(last(path, "ENTRYPOINT"))]
    words += exec_form(last(path, "CMD")) if "CMD" in {i.word for i in read(path)} else []
    assert words[0] == "tritonkit"
    found = COMMANDS[words[1]]
    module, _, name = found.target.partition(":")
    command = getattr(import_module(module), name)
    assert isinstance(command, click.Command)
    policy = str(ROOT / "docker" / "gateway" / "serving.toml")
    words = [policy if word == "/etc/tritonkit/serving.toml" else word for word in words[2:]]
    return dict(command.make_context(words[0], words).params)


def test_all_are_looked_at() -> None:
    assert [path.relative_to(ROOT / "docker").as_posix() for path in FILES] == [
        "gateway/Dockerfile",
        "server/Dockerfile",
        "server/cpu.Dockerfile",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_each_is_pinned_and_not_run_by_root(path: Path) -> None:
    words = {each.word for each in read(path)}
    assert words <= {
        *("FROM", "ARG", "WORKDIR", "ENV", "COPY", "RUN", "USER", "EXPOSE"),
        *("STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
    }
    for base in (each.rest.split()[0] for each in read(path) if each.word == "FROM"):
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?", base), base
    assert last(path, "USER") not in ("root", "0", "0:0")
    assert exec_form(last(path, "HEALTHCHECK"))[0] != "/bin/sh"
    for word in words & {"ENTRYPOINT", "CMD"}:
        exec_form(last(path, word))


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_copied_is_there_and_is_not_ignored(path: Path) -> None:
    copied = [
        source
        for each in read(path)
        if each.word == "COPY" and not each.rest.startswith("--from=")
        for source in shlex.split(each.rest)[:-1]
    ]
    for source in copied:
        assert (ROOT / source).exists(), source
        assert not ignored(source), source

    build = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    areas = {package.partition("/")[0] for package in build["packages"]}
    needed = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "pyproject.toml"}
    assert {*areas, *needed, "constraints.txt"} == set(copied)


def test_the_context_leaves_out_what_is_secret_or_large() -> None:
    for name in ("docker", "model_repository", ".git", ".venv", ".env", "tests", "x.pyc"):
        assert ignored(name), name


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_ours_have_a_python_that_the_project_is_tested_with(path: Path) -> None:
    (found,) = set(re.findall(r"FROM python:(\d+)\.(\d+)", path.read_text()))
    assert tuple(map(int, found)) in PYTHONS


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_health_of_ours_is_asked_for_where_they_listen(path: Path) -> None:
    options = options_of(path)
    port = options["port"] if "port" in options else options["http_port"]

    assert options["host"] == "0.0.0.0"
    assert last(path, "EXPOSE").split()[0] == str(port)
    assert f"http://localhost:{port}/v2/health/ready" in last(path, "HEALTHCHECK")


def test_the_gateways_image_is_of_extras_and_of_the_version_that_there_are() -> None:
    text = (ROOT / "docker" / "gateway" / "Dockerfile").read_text()
    version = PROJECT["project"]["version"]
    assert '[$EXTRAS]"' in text
    assert re.findall(r"EXTRAS=(\w+)", text) == ["bench", "gateway"]
    assert {"bench", "gateway"} <= set(PROJECT["project"]["optional-dependencies"])
    for name in ("gateway", "bench"):
        assert f"--tag tritonkit-{name}:{version} ." in text
