"""Everything at once on a real server and a real Redis; `make hammer` does it for a minute."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HAMMER = Path(__file__).parents[3] / "benchmarks" / "hammer.py"


def test_threads_processes_and_an_app_get_right_answers_computed_once() -> None:
    done = subprocess.run(
        [sys.executable, HAMMER, "--seconds", "5"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all right; memory is flat" in done.stdout
