"""Compressed bodies: what comes is unpacked within a bound, what goes is packed if asked for."""

from __future__ import annotations

import asyncio
import zlib
from typing import Literal, TypeAlias

__all__ = ["Coding", "TooLarge", "Unpackable", "accepted", "coding_of", "pack", "unpack"]

Coding: TypeAlias = Literal["gzip", "deflate", "identity"]

_BITS = {"gzip": 31, "deflate": 15}
_LEVEL = 6
_GZIP = b"\x1f\x8b"

_MEMBERS = 64
"""Parts of a gzip body; who sends more of them wants to keep us busy."""

_APART = 64 * 1024
"""Bytes from which the work is done in a thread: zlib takes a millisecond for as many."""


class Unpackable(ValueError):
    """A body is not what its coding says."""


class TooLarge(ValueError):
    """A body becomes larger than it may."""


def coding_of(header: bytes | None) -> Coding | None:
    """The coding of a body by its Content-Encoding, as Triton reads it; None for another one."""
    if header is None or header == b"identity":
        return "identity"
    if header == b"gzip":
        return "gzip"
    return "deflate" if header == b"deflate" else None


def accepted(header: bytes | None) -> Coding:
    """
    The coding of an answer by the request's Accept-Encoding, as Triton chooses it.

    The first of those with the highest weight; "*" is none, nor is a name in capitals.
    """
    if header is None:
        return "identity"
    best: Coding = "identity"
    highest = 0.0
    for part in header.split(b","):
        name, _, weight = part.strip(b" ").partition(b";q=")
        coding = coding_of(name)
        if coding is None:
            continue
        try:
            value = float(weight) if weight else 1.0
        except ValueError:
            continue
        if value > highest:
            best, highest = coding, value
    return best


async def unpack(body: bytes, coding: Coding, most: int) -> bytes:
    """
    What a body was before it was packed.

    Args:
        body: As it came.
        coding: Of it.
        most: Bytes that it may become.

    Raises:
        Unpackable: If it is not of that coding, or not whole.
        TooLarge: If it becomes more.
    """
    if coding == "identity":
        return body
    if len(body) < _APART:
        return _unpack(body, coding, most)
    return await asyncio.to_thread(_unpack, body, coding, most)


async def pack(body: bytes, coding: Coding) -> bytes:
    """A body packed."""
    if coding == "identity":
        return body
    if len(body) < _APART:
        return _pack(body, coding)
    return await asyncio.to_thread(_pack, body, coding)


def _unpack(body: bytes, coding: Coding, most: int) -> bytes:
    parts = []
    left = most
    rest = body
    for _ in range(_MEMBERS):
        unpacker = zlib.decompressobj(_BITS[coding])
        try:
            # One byte more tells "as much as it may" from "more".
            part = unpacker.decompress(rest, left + 1)
        except zlib.error as error:
            raise Unpackable(f"the body is not {coding}: {error}") from error
        if len(part) > left:
            raise TooLarge(f"the body becomes more than {most} bytes")
        if not unpacker.eof:
            raise Unpackable(f"the body is not {coding}: it ends too early")
        parts.append(part)
        left -= len(part)
        rest = unpacker.unused_data
        # Several members are one body; what else follows is nothing, as it is to Triton.
        if coding != "gzip" or not rest.startswith(_GZIP):
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise Unpackable(f"the body is of more than {_MEMBERS} gzip members")


def _pack(body: bytes, coding: Coding) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _BITS[coding])
    return packer.compress(body) + packer.flush()
