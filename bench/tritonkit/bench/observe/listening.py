"""Which processes of this machine listen at an address."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from tritonkit.client.wire.address import Address

__all__ = ["is_local", "listeners", "listening_ports"]

_LISTEN = "0A"
_FORWARDERS = frozenset(
    (
        *("docker-proxy", "containers-root", "rootlessport", "rootlesskit", "slirp4netns"),
        *("pasta", "passt", "gvproxy", "vpnkit", "com.docker.back", "wslrelay"),
        *("ssh", "sshd", "sshd-session", "kubectl", "kube-proxy", "socat", "stunnel", "ncat"),
        *("nginx", "envoy", "haproxy", "traefik", "caddy", "httpd", "apache2", "varnishd"),
        *("squid", "linkerd2-proxy", "cloudflared", "mitmdump", "mitmproxy", "toxiproxy-serve"),
    )
)
"""What listens here for a server that is elsewhere, by name of the process, cut at 15 letters."""

_COMM = 15
"""Letters of a process's name that Linux keeps."""

_Host = IPv4Address | IPv6Address
_ANY = {4: ip_address("0.0.0.0"), 6: ip_address("::")}


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


def listeners(address: Address, proc: Path = Path("/proc")) -> frozenset[int]:
    """
    Processes of this machine that listen at an address.

    Another server at the same port of another of the machine's addresses is not meant.

    Returns:
        Their ids; empty where nobody listens, where another user's process does, and
        where it is one that only forwards to a server elsewhere.
    """
    inodes = _meant(address, list(_sockets(proc)))
    if not inodes:
        return frozenset()
    pids = {int(folder.name) for folder in _processes(proc) if inodes & _inodes(folder)}
    if any(_forwards(proc / str(pid)) for pid in pids):
        return frozenset()
    return frozenset(pids)


def listening_ports(pids: Iterable[int], proc: Path = Path("/proc")) -> frozenset[int]:
    """The TCP ports at which these processes listen."""
    held: set[str] = set()
    for pid in pids:
        held |= _inodes(proc / str(pid))
    return frozenset(port for inode, _, port in _sockets(proc) if inode in held)


def _meant(address: Address, sockets: Iterable[tuple[str, _Host, int]]) -> set[str]:
    """The sockets that a connection to an address would reach."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    at_port = [(inode, host) for inode, host, port in sockets if port == address.port]
    for _, _, _, _, place in found:
        wanted = ip_address(str(place[0]).partition("%")[0])
        # As the kernel chooses: the address itself before any, and IPv6's any for IPv4 as well.
        for hosts in ((wanted,), (_ANY[wanted.version],), (_ANY[6],)):
            inodes = {inode for inode, host in at_port if host in hosts}
            if inodes:
                return inodes
    return set()


def _sockets(proc: Path) -> Iterator[tuple[str, _Host, int]]:
    """Inode, address and port of every TCP socket that listens."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTEN:
                    host, _, port = fields[1].rpartition(":")
                    yield fields[9], _host(host), int(port, 16)


def _host(text: str) -> _Host:
    """An address as the kernel writes it: words of four bytes, each in the machine's order."""
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    found = ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


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


def _forwards(folder: Path) -> bool:
    """By the name of the process, or of the program that was started."""
    names = []
    with suppress(OSError):
        names.append((folder / "comm").read_text().strip())
    with suppress(OSError):
        first = (folder / "cmdline").read_bytes().partition(b"\0")[0].decode(errors="replace")
        # Nginx writes "nginx: master process nginx" there.
        names.append(first.rpartition("/")[2].partition(":")[0])
    return any(name[:_COMM] in _FORWARDERS for name in names)
