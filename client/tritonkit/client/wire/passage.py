"""A request that goes on to a server as it came."""

from __future__ import annotations

from typing import NamedTuple

from tritonkit.client.wire.address import Address

__all__ = ["Passage"]


class Passage(NamedTuple):
    """
    Args:
        method: Such as "POST"; not HEAD, whose answers have a length and no body.
        path: Quoted, from /v2 on, with the query.
        headers: Rendered, each with its CR LF; without Host and those of the body's length.
        body: Without a transfer coding.
        model: That the path names; empty where it names none.
        version: Of the model.
        replay: Whether the server may get it twice.
        sequence: Id of the sequence that it is a step of; empty for none.
    """

    method: str
    path: str
    headers: bytes = b""
    body: bytes | bytearray | memoryview = b""
    model: str = ""
    version: str = ""
    replay: bool = True
    sequence: str = ""

    def rendered(self, address: Address, headers: bytes = b"") -> bytes:
        """
        The whole request, ready to write.

        Args:
            address: Of the server.
            headers: In addition, rendered.
        """
        length = b"Content-Length: %d\r\n" % len(self.body) if self._has_length else b""
        return b"%s %s%s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n%s" % (
            self.method.encode(),
            address.path.encode(),
            self.path.encode(),
            address.authority.encode(),
            length,
            headers,
            self.headers,
            bytes(self.body) if isinstance(self.body, memoryview) else self.body,
        )

    @property
    def _has_length(self) -> bool:
        return bool(self.body) or self.method in ("POST", "PUT", "PATCH")
