"""A server that dies, stands still and loses its model; `make soak` does it for half an hour."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


def test_a_run_goes_on_and_counts_what_fails(tmp_path: Path) -> None:
    output = tmp_path / "soak.json"
    done = subprocess.run(
        [sys.executable, SOAK, "--seconds", "6", "--rate", "100", "--output", output],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "memory flat: kept" in done.stdout
    found = json.loads(output.read_text())
    # There without the model, and then away.
    assert {"ModelUnavailable", "NotConnected"} <= found["failed"].keys()
    assert found["requests"] > 0
    assert found["goal"]["accounted"] == found["goal"]["intended"] == 600
