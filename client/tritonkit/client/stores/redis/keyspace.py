"""Where things are in Redis: the names of its keys."""

from __future__ import annotations

import re

from tritonkit.client.keys import KEY_BYTES
from tritonkit.errors import ConfigError

__all__ = ["Keyspace"]

_NAMESPACE = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_GLOB = re.compile(rb"([\\*?\[\]])")


class Keyspace:
    """
    The keys of one namespace.

        <namespace>:1:<model>:<16 bytes>      an entry; 1 is the version of the format
        <namespace>:epoch:<name>              a token
        <namespace>:lease:<16 bytes>          a process that computes that row

    Args:
        namespace: Letters, digits, dots, dashes and underscores.
    """

    def __init__(self, namespace: str) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigError(
                f"namespace must be letters, digits, '.', '-' and '_', but got {namespace!r}."
            )
        self._entries = f"{namespace}:1:".encode()
        self._epochs = f"{namespace}:epoch:".encode()
        self._leases = f"{namespace}:lease:".encode()

    def entry(self, model: str, key: bytes) -> bytes:
        """Of an entry."""
        return b"%b%b:%b" % (self._entries, _name(model), key)

    def epoch(self, name: str) -> bytes:
        """Of a token."""
        return self._epochs + _name(name)

    def lease(self, key: bytes) -> bytes:
        """Of a lease."""
        return self._leases + key

    def pattern(self, model: str | None) -> bytes:
        """For SCAN: meets every entry, of one model or of all; `model` decides."""
        start = self._entries if model is None else b"%b%b:" % (self._entries, _name(model))
        return _GLOB.sub(rb"\\\1", start) + b"*"

    def model(self, name: bytes) -> str | None:
        """The model of an entry's key; None where it is no such key."""
        end = len(name) - KEY_BYTES - 1
        if end < len(self._entries) or not name.startswith(self._entries) or name[end] != ord(":"):
            return None
        try:
            return name[len(self._entries) : end].decode(errors="surrogatepass")
        except UnicodeDecodeError:
            return None


def _name(name: str) -> bytes:
    return name.encode(errors="surrogatepass")
