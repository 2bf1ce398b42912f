"""`tritonkit export`, killed with all that it started, after each line that it tells."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest

from tritonkit.export import export_model, read_card
from tritonkit.export.card.card import CARD_JSON

NAME = "layers"


@pytest.fixture(scope="module")
def files(onnx_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three ONNX files."""
    folder = tmp_path_factory.mktemp("files")
    for number in range(3):
        model = onnx.load(onnx_file)
        model.doc_string = f"number {number}"
        onnx.save(model, folder / f"number{number}.onnx")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def standing(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository that holds an export of the first of them."""
    here = tmp_path_factory.mktemp("standing") / "here"
    export_model(files[0], here / "repository", name=NAME)
    return here


def start(file: Path, here: Path, scratch: Path) -> subprocess.Popen[str]:
    """Export *file* over what stands, in a process group of its own."""
    scratch.mkdir(exist_ok=True)
    words = [str(file), str(here / "repository"), "--name", NAME, "--force"]
    return subprocess.Popen(
        [sys.executable, "-m", "tritonkit", "export", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(scratch), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def told(process: subprocess.Popen[str], lines: int) -> list[str]:
    """Its first *lines* lines, or all where it ends before."""
    assert process.stderr is not None
    found: list[str] = []
    while len(found) < lines and (line := process.stderr.readline()):
        found.append(line)
    return found


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stderr is not None
    process.stderr.close()


def is_alive(pid: str) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def is_whole(repository: Path, source: str) -> bool:
    """Whether the repository holds an export of *source*, and nothing but it."""
    card = read_card(repository / NAME / "1" / CARD_JSON)
    return (
        card is not None
        and card.source == source
        and [path.name for path in repository.iterdir()] == [NAME]
        and all((repository / path).stat().st_size == size for path, size in card.files.items())
    )


def test_an_export_that_is_killed_leaves_all_old_or_all_new(
    standing: Path, files: list[Path], tmp_path: Path
) -> None:
    before = contents(standing / "repository")
    process = start(files[1], Path(shutil.copytree(standing, tmp_path / "whole")), tmp_path / "s")
    lines = told(process, 1000)
    assert process.wait() == 0
    assert process.stderr is not None
    process.stderr.close()
    assert lines[0].startswith("converting to ONNX")
    assert lines[-2].startswith("writing")
    assert lines[-1].startswith("written")

    for count in range(len(lines)):
        here = Path(shutil.copytree(standing, tmp_path / f"here{count}"))
        killed = start(files[1], here, tmp_path / f"scratch{count}")
        assert len(told(killed, count)) == count
        kill(killed)
        is_old = contents(here / "repository") == before
        assert is_old or is_whole(here / "repository", "number1")
        if count < len(lines) - 1:
            assert is_old, lines[count - 1]

        (card,) = export_model(files[2], here / "repository", name=NAME, force=True).cards
        assert card.source == "number2"
        assert is_whole(here / "repository", "number2")
        assert [path.name for path in here.iterdir()] == ["repository"]


def test_what_an_export_started_is_killed_with_it(
    standing: Path, files: list[Path], tiny_embedder: Path, tmp_path: Path
) -> None:
    """The child that converts, which knows of no repository."""
    before = contents(standing)
    here = Path(shutil.copytree(standing, tmp_path / "here"))
    process = start(tiny_embedder, here, tmp_path / "scratch")
    assert told(process, 1)[0].startswith("converting to ONNX")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (found := children.read_text().split()):
        assert process.poll() is None
    kill(process)
    assert contents(here) == before
    deadline = time.monotonic() + 10
    while alive := [child for child in found if is_alive(child)]:
        assert time.monotonic() < deadline, f"{alive} live on"
        time.sleep(0.01)


def test_a_new_repository_is_not_there_or_whole(files: list[Path], tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    killed = start(files[0], here, tmp_path / "scratch")
    while not told(killed, 1)[0].startswith("writing"):
        assert killed.poll() is None
    kill(killed)
    assert not (here / "repository" / NAME).exists() or is_whole(here / "repository", "number0")
    assert export_model(files[1], here / "repository", name=NAME, force=True).written
    assert is_whole(here / "repository", "number1")
    assert [path.name for path in here.iterdir()] == ["repository"]
