"""Workers see each other's numbers, and none waits for one that stands still."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tritonkit.errors import ConfigError
from tritonkit.gateway.tenants.cells import Cells

COUNT = """
import sys
from pathlib import Path
from tritonkit.gateway.tenants.cells import Cells

cells = Cells(4, Path(sys.argv[1]), patience=60)
for _ in range(2000):
    with cells.alone():
        cells[2] = cells[2] + 1
cells.close()
"""

HOLD = """
import sys, time
from pathlib import Path
from tritonkit.gateway.tenants.cells import Cells

with Cells(4, Path(sys.argv[1])).alone():
    print("held", flush=True)
    time.sleep(60)
"""


def test_what_two_processes_count_adds_up(tmp_path: Path) -> None:
    path = tmp_path / "cells"
    mine = Cells(4, path)
    both = [subprocess.Popen([sys.executable, "-c", COUNT, str(path)]) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    assert mine[2] == 4_000
    assert [mine[0], mine[1], mine[3]] == [0.0, 0.0, 0.0]
    assert path.stat().st_mode & 0o077 == 0
    mine.close()
    mine.close()
    assert mine[2] == 4_000


def test_one_that_was_stopped_keeps_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "cells"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        mine = Cells(4, path)
        with mine.alone():
            mine[0] = 1.0
        mine.close()
    finally:
        holder.kill()
        holder.communicate()


def test_of_one_worker_they_lie_here() -> None:
    cells = Cells(2)
    with cells.alone():
        cells[1] = 2.5
    assert cells[1] == 2.5
    cells.close()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be shared between workers"):
        Cells(1, tmp_path / "none" / "cells")
