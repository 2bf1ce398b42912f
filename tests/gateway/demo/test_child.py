"""Processes that end with whoever started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tritonkit.gateway.demo.child import Child
from tritonkit.gateway.demo.stop import Stopped, stop_signals

WAITS = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


def gone(pid: int) -> bool:
    """Whether the process ends within 20 seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    import select

    poll = select.poll()
    poll.register(handle, select.POLLIN)
    ended = bool(poll.poll(20_000))
    os.close(handle)
    return ended


def started(child: Child) -> int:
    """The program's own id, once it has told."""
    while not (told := child.log_tail()):
        assert child.poll() is None
    return int(told)


def test_stopping_ends_the_program(tmp_path: Path) -> None:
    """It is gone when `stop` returns, and stopping twice does nothing."""
    with Child([sys.executable, "-c", WAITS], tmp_path, name="waits") as child:
        pid = started(child)
        assert child.poll() is None
    child.stop()

    assert gone(pid)
    assert child.poll() is not None


def test_a_program_that_ends_tells_how(tmp_path: Path) -> None:
    """Its exit code and its last words."""
    with Child([sys.executable, "-c", "print('why'); exit(3)"], tmp_path, name="ends") as child:
        while child.poll() is None:
            pass
        assert child.poll() == 3
        assert child.log_tail() == "why"


def test_it_dies_with_an_owner_that_is_killed(tmp_path: Path) -> None:
    """After SIGKILL of whoever started it the program and the folder are gone."""
    folder = tmp_path / "own"
    folder.mkdir()
    code = f"""
import sys, time
from pathlib import Path
from tritonkit.gateway.demo.child import Child
child = Child([sys.executable, "-c", {WAITS!r}], Path({str(folder)!r}), name="waits")
while not child.log_tail():
    pass
print(child.log_tail(), flush=True)
time.sleep(60)
"""
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        pid = int(owner.stdout.readline())
        keeper = parent(pid)
        owner.kill()
        owner.wait()

    assert gone(pid)
    assert gone(keeper)
    assert not folder.exists()


def parent(pid: int) -> int:
    """Of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_signal_stops_once() -> None:
    """It raises while nobody waits for it; whoever waits is told, once."""
    woken: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as stop:
        with stop.waking(lambda: woken.append("woken")):
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    with stop_signals(), pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGINT)

    assert woken == ["woken"]
    assert signal.getsignal(signal.SIGTERM) is before
