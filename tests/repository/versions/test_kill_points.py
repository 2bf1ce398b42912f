"""
A promotion, a rollback or a prune that ends anywhere, by kill -9.

A child of the test works in forks of itself. Each ends before the nth call that changes the
file system, for every n until the work comes to its end by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HARNESS = """
import itertools, json, os, shutil, signal, sys
from pathlib import Path
from click.testing import CliRunner
from tritonkit.cli import main
from tritonkit.repository.commands import repo as command
from tritonkit.repository import ModelDirectory, read_config
from tritonkit.repository.versions.policy import served_versions

os.fsync = lambda descriptor: None
folder, *arguments = Path(sys.argv[1]), *sys.argv[2:]
start, here = folder / "start", folder / "here"
repository = here / "r"
PART = 'parameters { key: "tritonkit.export" value { string_value: "e" } }\\n'
PYTHON, ENSEMBLE = 'backend: "python"\\n', '''platform: "ensemble"
ensemble_scheduling {
  step { model_name: "a" model_version: -1 }
  step { model_name: "b" model_version: -1 }
}
'''


def repo(*arguments):
    said = CliRunner().invoke(main, ["repo", *arguments, "--repository", str(repository)])
    assert said.exit_code == 0, said.output


def state():
    # What a server that looks now would serve.
    found = {}
    for name in ("a", "b", "e"):
        directory = ModelDirectory(repository / name)
        served = served_versions(read_config(directory.path), directory.versions())
        assert served, name
        files = [f"{version}/model.py" for version in served if name != "e"]
        assert all((directory.path / file).read_text() == file for file in files)
        found[name] = served[-1]
    return found


def whole_folders():
    return sorted(f"{p.parent.parent.name}/{p.parent.name}" for p in repository.rglob("model.py"))


class Ending:
    def __init__(self, left):
        self.left = left
        for name in ("mkdir", "link", "symlink", "rename", "replace", "unlink", "rmdir", "chown"):
            self.wrap(os, name)
        self.wrap(Path, "write_bytes", half=True)

    def wrap(self, module, name, half=False):
        plain = getattr(module, name)

        def wrapped(*arguments, **keywords):
            self.left -= 1
            if self.left < 0:
                if half:
                    os.write(os.open(arguments[0], os.O_WRONLY | os.O_CREAT), b"ha")
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(*arguments, **keywords)

        setattr(module, name, wrapped)


def planned_once(name):
    # What is planned changes nothing, and is the same in each attempt.
    plain, plans = getattr(command, name), []

    def plan(*arguments, **keywords):
        if not plans:
            plans.append(plain(*arguments, **keywords))
        return plans[0]

    setattr(command, name, plan)


def attempt(left):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        Ending(left)
        repo(*arguments)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


for name in ("a", "b", "e"):
    for version in ("1", "2", "3"):
        (repository / name / version).mkdir(parents=True)
        if name != "e":
            (repository / name / version / "model.py").write_text(f"{version}/model.py")
    (repository / name / "config.pbtxt").write_text((ENSEMBLE if name == "e" else PYTHON) + PART)
repo("promote", "e", "2")
here.rename(start)

shutil.copytree(start, here)
if arguments[0] != "prune":
    planned_once(f"plan_{dict(promote='promotion').get(arguments[0], arguments[0])}")
repo(*arguments, "--dry-run")

for left in itertools.count():
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(start, here)
    killed = attempt(left)
    found, names = state(), sorted(os.listdir(repository))
    assert names == ["a", "b", "e"], names
    # Whoever works on the repository next finishes what was decided.
    repo("prune", "--keep", "9")
    print(json.dumps(dict(found=found, repaired=state(), folders=whole_folders(),
                          rest=os.listdir(here))))
    if not killed:
        break
"""


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: many small files are made and removed."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def run(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    """A report for each end: what was found then, and what after the next command."""
    child = subprocess.run(
        [sys.executable, "-c", HARNESS, str(folder), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    reports = [json.loads(line) for line in child.stdout.splitlines()]
    assert [report["rest"] for report in reports] == [["r"]] * len(reports)
    return reports


@pytest.mark.parametrize(
    ("arguments", "served"), [(("promote", "e", "1"), 1), (("rollback", "e"), 3)]
)
def test_three_models_change_all_or_none_and_can_be_served_at_any_moment(
    memory: Path, arguments: tuple[str, ...], served: int
) -> None:
    reports = run(memory, *arguments)
    old, new = (dict.fromkeys("abe", version) for version in (2, served))
    decisions = [report["repaired"] for report in reports]
    turn = decisions.index(new)
    assert turn > 10
    assert decisions == [old] * turn + [new] * (len(decisions) - turn)
    assert [report["found"] for report in reports[:turn]] == [old] * turn


def test_a_folder_goes_whole_or_stays_whole(memory: Path) -> None:
    reports = run(memory, "prune", "--keep", "0")
    assert {tuple(report["found"].values()) for report in reports} == {(2, 2, 2)}
    left = [report["folders"] for report in reports]
    assert left[0] == ["a/1", "a/2", "a/3", "b/1", "b/2", "b/3"]
    assert left[-1] == ["a/2", "b/2"]
    # One after the other.
    assert [len(folders) for folders in left] == sorted((len(f) for f in left), reverse=True)
