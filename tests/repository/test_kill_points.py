"""
A write that ends anywhere: by kill -9, because the disk is full, or because it fails to sync.

A child of the test writes in forks of itself. Each ends before the nth call that changes
the file system, for every n until the write comes to its end by itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tritonkit.repository import Model, ModelConfig, write_models

HARNESS = """
import errno, itertools, json, os, re, shutil, signal, sys
from pathlib import Path
import tritonkit.repository.staging as staging
from tritonkit.errors import RepositoryError
from tritonkit.repository import Model, ModelConfig, write_models

# A killed process loses nothing that it wrote; the disk need not keep up.
os.fsync = lambda descriptor: None
folder, mode, keep, exchanging = Path(sys.argv[1]), *sys.argv[2:]
here, whole = folder / "here", folder / "whole"
repository, decided = here / "r", here / ".r.tritonkit-staging" / "decided"
NAMES = ("a", "b", "added")


def models(word, *versions):
    return [
        Model(
            ModelConfig(name=name, backend=word if keep == "no" else "kept"),
            {v: {"f": word.encode() * 20, "g": folder / word} for v in versions},
            files={"labels.txt": word.encode()},
            keep_versions=keep != "no",
        )
        for name in (NAMES if word == "new" else NAMES[:2])
    ]


def text(file):
    # When something was served until is another moment in each attempt.
    return re.sub('"until": "[^"]*"', "", file.read_text())


def tree(path):
    return {str(p.relative_to(path)): text(p) for p in path.rglob("*") if p.is_file()}


def state(name):
    if not (repository / name).exists():
        return "absent"
    for word in ("old", "new"):
        if (whole / word / name).exists() and tree(whole / word / name) == tree(repository / name):
            return word
    return "torn"


class Ending:
    # Before the call of this number the process is killed, or the disk is full from then on.
    def __init__(self, left):
        self.left = left

    def reached(self, kind):
        self.left -= 1
        return self.left < 0 and (mode != "full" or kind == "takes space")

    def end(self):
        if mode != "full":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def wrap(self, module, name, kind, half_of=None):
        plain = getattr(module, name)

        def wrapped(*arguments, **keywords):
            if self.reached(kind):
                if half_of is not None:
                    os.write(os.open(arguments[half_of], os.O_WRONLY | os.O_CREAT), b"ha")
                self.end()
            return plain(*arguments, **keywords)

        setattr(module, name, wrapped)

    def install(self):
        for name in ("mkdir", "link", "symlink"):
            self.wrap(os, name, "takes space")
        for name in ("rename", "unlink", "rmdir"):
            self.wrap(os, name, "takes none")
        self.wrap(staging, "exchange", "takes none")
        self.wrap(Path, "write_bytes", "takes space", half_of=0)
        self.wrap(shutil, "copyfile", "takes space", half_of=1)


class Undecided:
    # The sync that makes the decision last fails, once or always; the end comes after that.
    def __init__(self, left):
        self.ending, self.failed = Ending(left), False

    def install(self):
        os.fsync = self.fsync

    def fsync(self, descriptor):
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path != decided.parent or not (decided.exists() or self.failed):
            return
        if not self.failed:
            self.failed = True
            self.ending.install()
            if mode == "interrupted":
                raise KeyboardInterrupt
        elif mode != "never synced":
            return
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def attempt(left, written):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        kind = Ending if mode in ("kill", "twice", "full") else Undecided
        kind(left).install()
        try:
            write_models(repository, written, force=keep == "overwrite")
        except (RepositoryError, KeyboardInterrupt):
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return "killed" if os.WIFSIGNALED(status) else ("done", "refused")[os.WEXITSTATUS(status)]


def begin():
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(folder / "start", here)


def report(how):
    found, left = [state(name) for name in NAMES], sorted(os.listdir(here))
    write_models(repository, [Model(ModelConfig(name="next"))])
    repaired = [state(name) for name in NAMES]
    print(json.dumps(dict(how=how, found=found, left=left, repaired=repaired,
                          rest=sorted(os.listdir(here)))))


if exchanging == "no":
    staging.exchange = lambda first, second: False
for word in ("old", "new"):
    (folder / word).write_text(word * 10)
here.mkdir()
write_models(repository, models("old", *((1, 2) if keep == "overwrite" else (1,))))
shutil.copytree(repository, whole / "old")
shutil.copytree(here, folder / "start")
write_models(repository, models("new", 2), force=keep == "overwrite")
shutil.copytree(repository, whole / "new")

for first in itertools.count():
    begin()
    how = attempt(first, models("new", 2))
    if mode != "twice":
        report(how)
    elif decided.exists():
        for second in itertools.count():
            begin()
            attempt(first, models("new", 2))
            again = attempt(second, [Model(ModelConfig(name="between"))])
            repaired = not decided.exists()
            report(again)
            if repaired:
                break
    if how != "killed" and mode != "full" or how == "done":
        break
"""

OLD, NEW = ["old", "old", "absent"], ["new", "new", "new"]


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: thousands of small files are made and removed."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def run(
    folder: Path, mode: str, *, keep: str = "no", exchanging: bool = True
) -> list[dict[str, Any]]:
    """A report for each end: what was found then, and what after the next write."""
    options = [mode, keep, "yes" if exchanging else "no"]
    child = subprocess.run(
        [sys.executable, "-c", HARNESS, str(folder), *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    reports = [json.loads(line) for line in child.stdout.splitlines()]
    assert [report["rest"] for report in reports] == [["r"]] * len(reports)
    return reports


@pytest.mark.parametrize("keep", ["no", "yes", "overwrite"])
@pytest.mark.parametrize("exchanging", [True, False], ids=["exchange", "rename"])
def test_a_killed_write_is_all_old_or_all_new_for_the_next(
    memory: Path, keep: str, exchanging: bool
) -> None:
    reports = run(memory, "kill", keep=keep, exchanging=exchanging)
    assert reports[-1]["how"] == "done"
    decisions = [report["repaired"] for report in reports]
    turn = decisions.index(NEW)
    assert turn > 20
    assert decisions == [OLD] * turn + [NEW] * (len(decisions) - turn)
    assert [report["found"] for report in reports[:turn]] == [OLD] * turn
    found = {state for report in reports for state in report["found"][:2]}
    # Without the exchange there is a moment between two renames.
    assert found == ({"old", "new"} if exchanging else {"old", "new", "absent"})


@pytest.mark.parametrize("exchanging", [True, False], ids=["exchange", "rename"])
def test_a_repair_may_be_killed_too(memory: Path, exchanging: bool) -> None:
    reports = run(memory, "twice", keep="yes", exchanging=exchanging)
    assert len(reports) > 15
    for report in reports:
        assert report["repaired"] == NEW
        assert "torn" not in report["found"]


@pytest.mark.parametrize("failure", ["once", "never synced", "interrupted"])
@pytest.mark.parametrize("disk", ["memory", "tmp_path"])
def test_a_decision_that_fails_is_undone_and_the_undoing_may_be_killed(
    request: pytest.FixtureRequest, disk: str, failure: str
) -> None:
    """Whatever order the file system lists a folder in, which is the order of deletion."""
    reports = run(request.getfixturevalue(disk), failure)
    *killed, last = reports
    assert (last["how"], last["found"], last["repaired"]) == ("refused", OLD, OLD)
    # Where the removal of the marker does not last either, nothing else may be removed.
    assert len(killed) > (0 if failure == "never synced" else 20)
    decisions = [report["repaired"] for report in killed]
    # Killed before the marker was removed, it holds; what it decided was still whole.
    assert decisions == [NEW] + [OLD] * (len(killed) - 1)


@pytest.mark.parametrize("keep", ["no", "yes"])
def test_a_full_disk_leaves_everything_as_it_was(memory: Path, keep: str) -> None:
    *refused, done = run(memory, "full", keep=keep)
    assert len(refused) > 20
    for report in refused:
        assert report["left"] == ["r"]
        # Where what was left to do takes no space, it is done.
        assert report["found"] == (OLD if report["how"] == "refused" else NEW)
    assert (done["how"], done["found"]) == ("done", NEW)


REALLY_FULL = """
import os, resource, sys
from pathlib import Path
from tritonkit.errors import RepositoryError
from tritonkit.repository import Model, ModelConfig, write_models

repository, big = map(Path, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))
try:
    write_models(repository, [
        Model(ModelConfig(name=name), {1: {"model.onnx": big}}) for name in ("a", "b")
    ])
except RepositoryError as error:
    print(error)
"""


def test_the_kernel_refuses_to_write_on(tmp_path: Path) -> None:
    repository, big = tmp_path / "here" / "r", tmp_path / "big"
    big.write_bytes(bytes(2**17))
    write_models(repository, [Model(ModelConfig(name="a"), {1: {"model.onnx": b"old"}})])
    child = subprocess.run(
        [sys.executable, "-c", REALLY_FULL, str(repository), str(big)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "cannot be written: [Errno 27] File too large" in child.stdout
    assert (repository / "a" / "1" / "model.onnx").read_bytes() == b"old"
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["r"]
    assert [path.name for path in repository.iterdir()] == ["a"]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare to mount a disk with")
def test_a_disk_of_a_megabyte_is_full(tmp_path: Path) -> None:
    """In a mount namespace of its own, which ends with the process."""
    script = """
import sys
from pathlib import Path
from tritonkit.errors import RepositoryError
from tritonkit.repository import Model, ModelConfig, write_models

repository = Path(sys.argv[1]) / "r"
def model(size): return Model(ModelConfig(name="a"), {1: {"model.onnx": bytes(size)}})
write_models(repository, [model(600_000)])
for again in range(2):
    try:
        write_models(repository, [model(700_000)])
    except RepositoryError as error:
        print(error)
print([p.name for p in repository.parent.iterdir()])
print((repository / "a" / "1" / "model.onnx").stat().st_size)
write_models(repository, [model(300_000)])
print((repository / "a" / "1" / "model.onnx").stat().st_size)
"""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = 'mount -t tmpfs -o size=1m none "$1" || exit 77; exec "$2" -c "$3" "$1"'
    shell = ["sh", "-c", mount, "sh", str(disk), sys.executable, script]
    child = subprocess.run(
        ["unshare", "--map-root-user", "--mount", *shell],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if child.returncode == 77 or child.stderr.startswith("unshare:"):
        # The limit of the kernel above fills up everywhere.
        pytest.skip(f"this machine does not let a test mount a disk: {child.stderr.strip()}")
    assert child.returncode == 0, child.stderr
    lines = child.stdout.splitlines()
    assert ["No space left on device" in line for line in lines[:2]] == [True, True]
    assert lines[2:] == ["['r']", "600000", "300000"]
