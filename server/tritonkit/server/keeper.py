"""
Runs a command that must not outlive its owner.

    python -I -S keeper.py OWNER_PID GRACE_SECONDS SHM_PREFIX COMMAND [ARGUMENT ...]

The keeper stands between an owner and a tritonserver. It ends the server, the
server's children and their shared memory when the owner asks (SIGTERM), when the
owner is gone for whatever reason, and when the server ends by itself. It exits
with the server's exit code.

A parent-death signal alone would not do: the kernel sends it when the *thread*
that started the child ends. The keeper has one thread, so that the server may
rely on it; the owner is watched through a pidfd.

Only the standard library is imported: this file runs without site-packages.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SHARED_MEMORY = Path("/dev/shm")


def main(arguments: list[str]) -> int:
    """Run the command of *arguments* until it, or the owner, ends."""
    owner, grace, shm_prefix = int(arguments[0]), float(arguments[1]), arguments[2]
    wakeup, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.set_wakeup_fd(wakeup_write)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    # Orphans of the server become children of the keeper, which ends them.
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        owner_fd = os.pidfd_open(owner)
    except ProcessLookupError:
        return 0
    if os.getppid() != owner:
        return 0
    server = subprocess.Popen(
        arguments[3:],
        stdin=subprocess.DEVNULL,
        # Nothing else runs in this process that a fork could leave locked.
        preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
    )
    server_fd = os.pidfd_open(server.pid)
    try:
        ended = wait_for(server_fd, owner_fd, wakeup, timeout=None)
        if server_fd not in ended:
            server.terminate()
            if server_fd not in wait_for(server_fd, timeout=grace):
                server.kill()
        return server.wait()
    finally:
        end_children()
        for region in SHARED_MEMORY.glob(f"{shm_prefix}*"):
            region.unlink(missing_ok=True)


def wait_for(*descriptors: int, timeout: float | None) -> set[int]:
    """Wait until one of *descriptors* is readable; return those that are."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    ready = poll.poll(None if timeout is None else timeout * 1000)
    return {descriptor for descriptor, _ in ready}


def end_children() -> None:
    """Kill and reap every child, adopted ones included."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    give_up = time.monotonic() + 10
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
