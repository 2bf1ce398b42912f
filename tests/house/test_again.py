"""A test that failed beside others counts as passed only where it passes thrice, alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

AGAIN = Path(__file__).parents[1] / "again.py"

# Fails in the runs that are listed, of which the first is that beside the other session.
FAILS_IN = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("odd", ["a [b] \\r::c"])
def test_sometimes(odd):
    runs = Path(__file__).with_suffix(".runs")
    runs.write_text((runs.read_text() if runs.exists() else "") + ".")
    assert len(runs.read_text()) not in {listed}, "it was " + "late"
"""
ID = "test_sometimes.py::test_sometimes[a [b] \\r::c]"

Again = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def again(tmp_path: Path) -> Again:
    """Runs files of tests, given by name, each in a session beside one that passes."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_well.py").write_text("def test_well():\n    pass\n")

    def run(**files: str) -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        sessions = ["test_well.py", *(f"{name}.py" for name in files)]
        return subprocess.run(
            [sys.executable, str(AGAIN), *sessions],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
            capture_output=True,
            encoding="utf-8",
        )

    return run


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "test_sometimes.runs").read_text())


def test_nothing_is_said_of_sessions_that_pass(again: Again, tmp_path: Path) -> None:
    done = again(test_sometimes=FAILS_IN.replace("{listed}", "[]"))
    assert done.returncode == 0
    assert runs(tmp_path) == 1
    assert "again" not in done.stdout


def test_once_beside_others_is_named_last_and_passes(again: Again, tmp_path: Path) -> None:
    """With what it failed by, further up."""
    done = again(test_sometimes=FAILS_IN.replace("{listed}", "[1]"))
    assert done.returncode == 0
    assert runs(tmp_path) == 4
    assert done.stdout.splitlines()[-1] == f"   passed, passed, passed: {ID}"
    assert done.stdout.index("it was late") < done.stdout.index("== again, alone, 1 of 3: ")


@pytest.mark.parametrize(
    ("listed", "course"),
    [("[1, 2]", "failed"), ("[1, 4]", "passed, passed, failed")],
)
def test_any_of_the_three_that_fails_decides(again: Again, listed: str, course: str) -> None:
    done = again(test_sometimes=FAILS_IN.replace("{listed}", listed))
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == f"   {course}: {ID}"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (
            "import os\ndef test_dies():\n    os._exit(0 + 7)\n",
            "test_other.py: ended with status 7",
        ),
        # As a session's watchdog ends it.
        ("import os\ndef test_dies():\n    os._exit(1)\n", "test_other.py: ended with status 1"),
        ("import nowhere_to_be_found\n", "test_other.py: ended with status 2"),
        (
            "import pytest\n@pytest.mark.parametrize('n', range(5))\ndef test_n(n):\n"
            "    assert False\n",
            "6 tests failed, which is more than 5",
        ),
    ],
    ids=["dies", "ends", "is not collected", "six fail"],
)
def test_what_is_no_matter_of_time_fails_at_once(
    again: Again, tmp_path: Path, fault: str, reason: str
) -> None:
    """Though the one test beside it would pass alone."""
    done = again(test_sometimes=FAILS_IN.replace("{listed}", "[1]"), test_other=fault)
    assert done.returncode == 1
    assert runs(tmp_path) == 1
    assert reason in done.stdout.splitlines()[-1]
