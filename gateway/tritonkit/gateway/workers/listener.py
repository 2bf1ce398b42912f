"""The socket that all workers accept from."""

from __future__ import annotations

import errno
import os
import socket

from tritonkit.errors import ConfigError

__all__ = ["listen", "url_of"]

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """
    Bind and listen.

    Raises:
        ConfigError: If the port is taken or the host is not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        # The second is for names that no name server could be asked for.
        raise ConfigError(
            f"host must be a name or an address, but got {host!r}: {error}"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        reason = "something listens there already" if taken else os.strerror(error.errno or 0)
        raise ConfigError(f"cannot listen on {_bracketed(host)}:{port}: {reason}.") from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where it listens."""
    host, port = listener.getsockname()[:2]
    return f"http://{_bracketed(host)}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
