"""The chunked transfer coding. Source: RFC 9112, 7.1."""

from __future__ import annotations

from tritonkit.client.wire.head import MAX_HEAD
from tritonkit.errors import ProtocolError

__all__ = ["Chunks"]

_HEX = frozenset(b"0123456789abcdefABCDEF")


class Chunks:
    """
    Takes a chunked body apart; trailers are read and dropped.

    Args:
        max_body: Bytes that the chunks may hold together.
    """

    def __init__(self, max_body: int) -> None:
        self.parts: list[bytes] = []
        """What has come of the body."""
        self._max_body = max_body
        self._line = bytearray()
        self._left = 0
        self._total = 0
        self._trailer = 0
        self._state = "size"

    def feed(self, data: bytes) -> bool:
        """
        Take in *data*.

        Returns:
            True when the body is whole.

        Raises:
            ProtocolError: If it is not the coding, too long, or more than one body.
        """
        position = 0
        while position < len(data):
            if self._state == "data":
                piece = data[position : position + self._left]
                self.parts.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = "end"
                continue
            end = data.find(b"\n", position)
            self._line += data[position : end if end >= 0 else len(data)]
            if len(self._line) + self._trailer > MAX_HEAD:
                raise ProtocolError(f"a line between chunks exceeds {MAX_HEAD} bytes")
            if end < 0:
                return False
            position = end + 1
            if not self._line.endswith(b"\r"):
                raise ProtocolError("a line between chunks does not end with CR LF")
            line = bytes(self._line[:-1])
            self._line.clear()
            if self._take_line(line):
                if position < len(data):
                    raise ProtocolError("the server sent more than one response to one request")
                return True
        return False

    def _take_line(self, line: bytes) -> bool:
        if self._state == "end":
            if line:
                raise ProtocolError("a chunk is longer than its size says")
            self._state = "size"
        elif self._state == "size":
            size = line.partition(b";")[0].rstrip(b" \t")
            if not size or len(size) > 16 or not _HEX.issuperset(size):
                raise ProtocolError(f"not the size of a chunk: {line[:40]!r}")
            self._left = int(size, 16)
            self._total += self._left
            if self._total > self._max_body:
                raise ProtocolError(f"the body of an HTTP response exceeds {self._max_body} bytes")
            self._state = "data" if self._left else "trailer"
        else:
            self._trailer += len(line) + 2
            return not line
        return False
