"""
Header fields of HTTP/2, of which a load generator sends always the same.

Source: RFC 7541.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from tritonkit.bench.http2 import huffman
from tritonkit.errors import ProtocolError

__all__ = ["TABLE_SIZE", "HeaderBlocks", "read_block"]

TABLE_SIZE = 4096
"""Bytes that fields in a connection's table may take, unless the server says otherwise."""

_OVERHEAD = 32
"""What a field in the table counts beside its bytes."""

_STATIC: Sequence[tuple[bytes, bytes]] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *[(b":status", status) for status in b"200 204 206 304 400 404 500".split()],
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    *[
        (name, b"")
        for name in (
            b"accept-language accept-ranges accept access-control-allow-origin age allow "
            b"authorization cache-control content-disposition content-encoding content-language "
            b"content-length content-location content-range content-type cookie date etag expect "
            b"expires from host if-match if-modified-since if-none-match if-range "
            b"if-unmodified-since last-modified link location max-forwards proxy-authenticate "
            b"proxy-authorization range referer refresh retry-after server set-cookie "
            b"strict-transport-security transfer-encoding user-agent vary via www-authenticate"
        ).split()
    ],
]
"""Fields that every connection knows, from index 1 on."""


class HeaderBlocks:
    """
    The fields of every request on a connection, ready to write.

    The first block puts them into the connection's table as far as they fit, and
    later ones name their places in it: a byte a field. So does every client of gRPC.

    Args:
        fields: Names and values, pseudo-header fields first.
    """

    def __init__(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        first: list[bytes] = []
        plain: list[bytes] = []
        # By number of the field in the table, or as it stands.
        later: list[int | bytes] = []
        known = size = 0
        for name, value in fields:
            if (name, value) in _STATIC:
                indexed = _integer(_STATIC.index((name, value)) + 1, 7, 0x80)
                first.append(indexed)
                plain.append(indexed)
                later.append(indexed)
                continue
            literal = _literal(name, value, 4, 0x00)
            plain.append(literal)
            wanted = len(name) + len(value) + _OVERHEAD
            if size + wanted > TABLE_SIZE:
                first.append(literal)
                later.append(literal)
                continue
            first.append(_literal(name, value, 6, 0x40))
            later.append(known)
            known, size = known + 1, size + wanted
        self.first = b"".join(first)
        # The newest has the lowest place.
        newest = len(_STATIC) + known
        self.later = b"".join(
            [_integer(newest - one, 7, 0x80) if isinstance(one, int) else one for one in later]
        )
        self.plain = b"".join(plain)
        self.shrunk = _integer(0, 5, 0x20) + self.plain
        self.table_bytes = size


def read_block(block: bytes) -> Mapping[str, str]:
    """
    The fields of a block, of a server that was told to keep no table.

    A server answers with few different ones, so they are read once.

    Raises:
        ProtocolError: If it is none.
    """
    try:
        return _read_block(block)
    except IndexError as error:
        raise ProtocolError(f"HTTP/2 header fields are cut off: {block[:64]!r}") from error


@lru_cache(maxsize=512)
def _read_block(block: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}
    place = 0
    while place < len(block):
        byte = block[place]
        if byte & 0x80:
            index, place = _read_integer(block, place, 7)
            name, value = _known(index)
        elif byte & 0xE0 == 0x20:
            _, place = _read_integer(block, place, 5)
            continue
        else:
            index, place = _read_integer(block, place, 6 if byte & 0x40 else 4)
            if index:
                name, _ = _known(index)
            else:
                name, place = _read_text(block, place)
            value, place = _read_text(block, place)
        found[name.decode("latin-1")] = value.decode("latin-1")
    return found


def _known(index: int) -> tuple[bytes, bytes]:
    if not 1 <= index <= len(_STATIC):
        raise ProtocolError(f"there is no HTTP/2 header field {index}: the table holds none")
    return _STATIC[index - 1]


def _literal(name: bytes, value: bytes, bits: int, pattern: int) -> bytes:
    names = [known for known, _ in _STATIC]
    if name in names:
        named = _integer(names.index(name) + 1, bits, pattern)
    else:
        named = _integer(0, bits, pattern) + _text(name)
    return named + _text(value)


def _text(text: bytes) -> bytes:
    return _integer(len(text), 7, 0x00) + text


def _integer(value: int, bits: int, pattern: int) -> bytes:
    """A number in the lowest *bits* of a byte that begins with *pattern*, and further ones."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([pattern | value])
    data = bytearray([pattern | most])
    value -= most
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _read_integer(block: bytes, place: int, bits: int) -> tuple[int, int]:
    """A number, and where it ends."""
    most = (1 << bits) - 1
    value = block[place] & most
    place += 1
    if value < most:
        return value, place
    for shift in range(0, 35, 7):
        byte = block[place]
        place += 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise ProtocolError("a number among HTTP/2 header fields is too large")


def _read_text(block: bytes, place: int) -> tuple[bytes, int]:
    coded = block[place] & 0x80
    size, place = _read_integer(block, place, 7)
    text = block[place : place + size]
    if len(text) < size:
        raise ProtocolError("the HTTP/2 header fields end within a text")
    return huffman.decode(text) if coded else text, place + size
