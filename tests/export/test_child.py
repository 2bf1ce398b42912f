from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tritonkit.errors import ExportError, MissingExtra
from tritonkit.export.child import require_installed, run_child


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes a module that a child can run."""

    def make(code: str) -> str:
        (tmp_path / "child_of_test.py").write_text(textwrap.dedent(code))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return "child_of_test"

    return make


def test_progress_is_told_apart_from_output(module: Callable[[str], str], tmp_path: Path) -> None:
    name = module("print('tritonkit: epoch 1'); print('noise'); print('tritonkit: epoch 2')")
    told: list[str] = []
    run_child(name, [], folder=tmp_path, what="it failed", progress=told.append)
    assert told == ["epoch 1", "epoch 2"]


def test_a_failure_ends_with_the_last_lines(module: Callable[[str], str], tmp_path: Path) -> None:
    name = module("import sys; print(*range(100), sep='\\n'); sys.exit(3)")
    with pytest.raises(ExportError, match=r"^it failed \(exit status 3\):\n70\n") as caught:
        run_child(name, [], folder=tmp_path, what="it failed")
    assert str(caught.value).endswith("\n99")


def test_a_full_disk_is_said_in_words(module: Callable[[str], str], tmp_path: Path) -> None:
    name = module("import pathlib; pathlib.Path('/dev/full').write_text('x')")
    with pytest.raises(ExportError, match=r"^it failed: there is no space left .*TMPDIR") as caught:
        run_child(name, [], folder=tmp_path, what="it failed")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_sees_no_hub_and_leaves_its_files_in_the_folder(
    module: Callable[[str], str], tmp_path: Path
) -> None:
    name = module(
        """
        import os, sys, tempfile
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        assert tempfile.gettempdir() == sys.argv[1]
        """
    )
    run_child(name, [str(tmp_path)], folder=tmp_path, what="it failed")


def test_an_interruption_ends_it(module: Callable[[str], str], tmp_path: Path) -> None:
    name = module(
        """
        import os, pathlib, sys, time
        pathlib.Path(sys.argv[1], "pid").write_text(str(os.getpid()))
        print("tritonkit: here", flush=True)
        time.sleep(600)
        """
    )

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child(name, [str(tmp_path)], folder=tmp_path, what="it failed", progress=interrupt)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()


def test_a_module_that_is_not_installed_is_named() -> None:
    require_installed("json", "os", extra="export")
    with pytest.raises(MissingExtra, match=r"no_such_module.*tritonkit\[tabular\]"):
        require_installed("json", "no_such_module", extra="tabular")
