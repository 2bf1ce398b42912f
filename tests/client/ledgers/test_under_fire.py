"""Eight processes, killed at random, and a Redis that is killed as well; the script runs longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "budgets.py"


def test_no_window_ever_holds_more_than_its_limit() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--seconds", "7"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no window holds more than its limit; nothing stays reserved" in done.stdout
