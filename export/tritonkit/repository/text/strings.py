"""Strings of a text: their escapes, and quotes around them."""

from __future__ import annotations

import re

from google.protobuf import text_encoding

__all__ = ["quoted", "unescaped"]

_ESCAPE = re.compile(
    rb"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))",
    re.DOTALL,
)
_SIMPLE = {
    b"\\n": b"\n",
    b"\\t": b"\t",
    b'\\"': b'"',
    b"\\'": b"'",
    b"\\?": b"?",
    b"\\r": b"\r",
    b"\\a": b"\a",
    b"\\b": b"\b",
    b"\\f": b"\f",
    b"\\v": b"\v",
}


def quoted(text: str) -> str:
    """A string as it stands in a text, in quotes."""
    return f'"{text_encoding.CEscape(text, as_utf8=True)}"'


def unescaped(body: str) -> bytes:
    """What stands between the quotes, its escapes resolved as Triton's parser resolves them."""
    content = body.encode("utf-8", "surrogateescape")
    # Pair by pair from the left, so that what is left of a backslash escapes what follows.
    return b"\\".join(
        _without_escapes(part) if b"\\" in part else part for part in content.split(b"\\\\")
    )


def _without_escapes(part: bytes) -> bytes:
    for escape, character in _SIMPLE.items():
        part = part.replace(escape, character)
    return _ESCAPE.sub(_escape, part) if b"\\" in part else part


def _escape(match: re.Match[bytes]) -> bytes:
    high, low, octal, hexadecimal, short, long, simple = match.groups()
    if high:
        number = 0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00)
        return chr(number).encode()
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    point = short or long
    if point:
        number = int(point, 16)
        # What is no character is no UTF-8 either, and said to be none.
        return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else b"\xff"
    return bytes(simple)
