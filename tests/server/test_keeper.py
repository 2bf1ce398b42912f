"""The keeper: nothing outlives its owner."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tritonkit.server.keeper import SHARED_MEMORY, kept, remove_shared_memory

# Starts a child, says both process ids, and waits.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{FAMILY}"
# Owns a keeper, and says its id and those of the family.
OWNER = """
import subprocess, sys, time
from tritonkit.server.keeper import kept
command = kept([sys.executable, "-c", sys.argv[1]], grace=60, folder=sys.argv[2],
               shm_prefix=sys.argv[3])
keeper = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
print(keeper.pid, keeper.stdout.readline().decode(), end="", flush=True)
time.sleep(600)
"""


def read_pids(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    return [int(pid) for pid in process.stdout.readline().split()]


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def run(command: list[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def region() -> Iterator[Path]:
    path = SHARED_MEMORY / f"tritonkit-test-{os.getpid()}-region"
    path.write_bytes(b"x")
    yield path
    path.unlink(missing_ok=True)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_passes_on_the_exit_code(start):
    assert start(kept(python("raise SystemExit(7)"))).wait() == 7


def test_passes_on_the_signal_that_ended_the_command(start):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"

    assert start(kept(python(code))).wait() == 128 + signal.SIGSEGV


def test_ends_what_the_command_left_behind(start, processes):
    """Also where the command itself ended well."""
    keeper = start(kept(python(FAMILY.replace("time.sleep(600)\n", "", 1))))
    _, child = read_pids(keeper)

    assert keeper.wait() == 0
    assert processes.gone(child)


def test_sigterm_reaches_the_command(start, processes):
    keeper = start(kept(python(FAMILY), grace=60))
    pids = read_pids(keeper)
    keeper.terminate()

    assert keeper.wait() == 128 + signal.SIGTERM
    assert all(map(processes.gone, pids))


def test_a_deaf_command_is_killed_after_the_grace(start, processes):
    keeper = start(kept(python(DEAF), grace=0.05))
    pids = read_pids(keeper)
    keeper.terminate()

    assert keeper.wait() == 128 + signal.SIGKILL
    assert all(map(processes.gone, pids))


def test_sigint_is_the_owners_business(start):
    keeper = start(kept(python(FAMILY), grace=60))
    read_pids(keeper)
    keeper.send_signal(signal.SIGINT)

    with pytest.raises(subprocess.TimeoutExpired):
        keeper.wait(0.3)


def test_nothing_outlives_an_owner_that_is_killed(start, processes, tmp_path, region):
    """The command gets no grace then: nobody waits for it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    owner = start([*python(OWNER), DEAF, str(folder), region.name])
    pids = read_pids(owner)
    owner.kill()

    assert processes.gone_soon(*pids)
    assert not folder.exists()
    assert not region.exists()


def test_an_owner_that_lives_keeps_its_folder(start, tmp_path, region):
    command = kept(python("pass"), folder=str(tmp_path), shm_prefix=region.name)

    assert start(command).wait() == 0
    assert tmp_path.exists()
    assert not region.exists()


def test_the_command_does_not_outlive_a_keeper_that_is_killed(start, processes):
    keeper = start(kept(python(FAMILY)))
    command, child = read_pids(keeper)
    keeper.kill()

    assert processes.gone_soon(command)
    os.kill(child, signal.SIGKILL)


def test_an_owner_that_is_gone_already_gets_nothing_started(start, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    command = kept(python("print('started')"), folder=str(folder))
    command[command.index(str(os.getpid()))] = str(2**22 + 1)
    keeper = start(command)

    assert keeper.wait() == 1
    assert keeper.stdout is not None
    assert keeper.stdout.read() == ""
    assert not folder.exists()


def test_only_regions_of_the_prefix_are_removed(region):
    remove_shared_memory("")
    assert region.exists()
    remove_shared_memory(f"{region.name}x")
    assert region.exists()
    remove_shared_memory(region.name[:-3])
    assert not region.exists()
