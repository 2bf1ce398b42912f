"""Ports to bind: the given ones checked, the others chosen."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack

from tritonkit.errors import ConfigError

__all__ = ["choose_ports"]


def choose_ports(host: str, wanted: Sequence[int]) -> tuple[int, ...]:
    """
    A port for each of *wanted*, where 0 stands for any free one.

    All are bound at once before any is let go, so that they differ. Another
    process may still take one before the server does.

    Args:
        host: The address to bind.
        wanted: Port numbers.

    Raises:
        ConfigError: If a port is taken or not allowed, or *host* is no address here.
    """
    with ExitStack() as held:
        return tuple(_bound(host, port, held) for port in wanted)


def _bound(host: str, port: int, held: ExitStack) -> int:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = held.enter_context(socket.socket(family, kind, protocol))
        # As servers do: a port that waits after its last connection is free.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        # Triton sets SO_REUSEPORT for gRPC; only a listening socket shows the conflict.
        sock.listen(1)
    except socket.gaierror as error:
        raise ConfigError(f"host {host!r} is not an address: {error.strerror}.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} on {host} is taken by another process; choose another, or 0 for "
                "any free port."
            ) from error
        raise ConfigError(f"port {port} on {host} cannot be bound: {error.strerror}.") from error
    number: int = sock.getsockname()[1]
    return number
