"""Which processes of this machine listen at an address."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["is_local", "listeners", "listening_ports"]

_LISTEN = "0A"
_FORWARDERS = frozenset(
    ("docker-proxy", "rootlessport", "slirp4netns", "pasta", "ssh", "kubectl", "socat")
)
"""What listens here for a server that is elsewhere, by name of the process."""


def is_local(host: str) -> bool:
    """Whether *host* is this machine; it may ask the resolver, and wait for it."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, kind, protocol, _, address in found:
        # Only an address of this machine can be bound.
        with suppress(OSError), socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
            return True
    return False


def listeners(port: int, proc: Path = Path("/proc")) -> frozenset[int]:
    """
    Processes that listen at a port of this machine.

    Returns:
        Their ids; empty where nobody listens, where another user's process does, and
        where it is one that only forwards to a server elsewhere.
    """
    inodes = {inode for inode, local in _sockets(proc) if local == port}
    if not inodes:
        return frozenset()
    pids = {int(folder.name) for folder in _processes(proc) if inodes & _inodes(folder)}
    if any(_name(proc / str(pid)) in _FORWARDERS for pid in pids):
        return frozenset()
    return frozenset(pids)


def listening_ports(pids: Iterable[int], proc: Path = Path("/proc")) -> frozenset[int]:
    """The TCP ports at which these processes listen."""
    held: set[str] = set()
    for pid in pids:
        held |= _inodes(proc / str(pid))
    return frozenset(port for inode, port in _sockets(proc) if inode in held)


def _sockets(proc: Path) -> Iterator[tuple[str, int]]:
    """Inode and port of every TCP socket that listens."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTEN:
                    yield fields[9], int(fields[1].rpartition(":")[2], 16)


def _processes(proc: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (folder for folder in proc.iterdir() if folder.name.isdigit())


def _inodes(folder: Path) -> set[str]:
    """Of the sockets that a process holds; empty where that may not be seen."""
    found: set[str] = set()
    with suppress(OSError):
        for entry in (folder / "fd").iterdir():
            with suppress(OSError):
                name = str(entry.readlink())
                if name.startswith("socket:["):
                    found.add(name[8:-1])
    return found


def _name(folder: Path) -> str:
    with suppress(OSError):
        return (folder / "comm").read_text().strip()
    return ""
