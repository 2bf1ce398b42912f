"""
Runs a command that must not outlive its owner.

    python -I -S keeper.py OWNER_PID GRACE_SECONDS FOLDER SHM_PREFIX COMMAND [ARGUMENT ...]

The keeper stands between an owner and a command. It ends the command, whatever
the command started, and their shared memory in three cases: the owner asks
(SIGTERM; the command then has the grace to end by itself), the owner is gone for
whatever reason, or the command ends. It exits with the command's exit code.

A parent-death signal alone would not do: the kernel sends it when the *thread*
that started the child ends. The keeper has one thread, so that the command may
rely on it; the owner is watched through a pidfd.

Only the standard library is imported: this file runs without site-packages.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["kept", "remove_shared_memory"]

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SHARED_MEMORY = Path("/dev/shm")

_REAP_SECONDS = 10


def kept(
    command: Sequence[str], *, grace: float = 0, folder: str = "", shm_prefix: str = ""
) -> list[str]:
    """
    The command line that runs *command* under a keeper owned by this process.

    Args:
        command: What to run.
        grace: Seconds that *command* has after SIGTERM before it is killed.
        folder: Removed when this process is gone; while it lives, the folder is its own.
        shm_prefix: Regions of shared memory to remove at the end are named so.
    """
    keeper = [sys.executable, "-I", "-S", __file__]
    return [*keeper, str(os.getpid()), str(grace), folder, shm_prefix, *command]


def remove_shared_memory(prefix: str) -> None:
    """Remove the regions whose name starts with *prefix*; none for an empty one."""
    if prefix:
        for region in SHARED_MEMORY.glob(f"{prefix}*"):
            region.unlink(missing_ok=True)


def remove_folder(folder: str) -> None:
    """Remove what the owner can remove no more; nothing for an empty name."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Run the command of *arguments* until it, or the owner, ends."""
    owner, grace, folder, shm_prefix = arguments[:4]
    asked = signal_descriptor(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Orphans of the command become children of the keeper, which ends them.
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    # First the descriptor, then the look: a number may be given to another process.
    try:
        owner_gone = os.pidfd_open(int(owner))
    except ProcessLookupError:
        owner_gone = None
    if owner_gone is None or os.getppid() != int(owner):
        remove_folder(folder)
        return 1
    command = subprocess.Popen(
        arguments[4:],
        stdin=subprocess.DEVNULL,
        # Nothing else runs in this process that a fork could leave locked.
        preexec_fn=die_with_parent(os.getpid()),
    )
    command_ended = os.pidfd_open(command.pid)
    try:
        ready = wait_for(command_ended, owner_gone, asked)
        if asked in ready and owner_gone not in ready:
            command.terminate()
            # An owner that dies in the meantime waits for nothing either.
            wait_for(command_ended, owner_gone, timeout=float(grace))
        command.kill()
        return command.wait()
    finally:
        end_children()
        remove_shared_memory(shm_prefix)
        if wait_for(owner_gone, timeout=0):
            remove_folder(folder)


def signal_descriptor(number: signal.Signals) -> int:
    """A descriptor that becomes readable when the signal comes, which then does nothing else."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    signal.signal(number, lambda *_: None)
    return read


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process, as prctl of the C library does."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with_parent(parent: int) -> Callable[[], None]:
    """What a child runs before its program, so that it is killed when *parent* ends."""

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def wait_for(*descriptors: int, timeout: float | None = None) -> set[int]:
    """Wait until one of *descriptors* is readable; return those that are."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    ready = poll.poll(None if timeout is None else timeout * 1000)
    return {descriptor for descriptor, _ in ready}


def end_children() -> None:
    """Kill and reap every child, adopted ones included."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    give_up = time.monotonic() + _REAP_SECONDS
    while time.monotonic() < give_up:
        pids = [int(pid) for pid in children.read_text().split()]
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ChildProcessError, ProcessLookupError):
                continue


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(code if code >= 0 else 128 - code)
