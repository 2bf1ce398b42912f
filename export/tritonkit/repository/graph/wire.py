"""The protobuf wire format, stepped through without copying."""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import TypeAlias

__all__ = ["Buffer", "Malformed", "fields", "signed", "text"]

Buffer: TypeAlias = "bytes | mmap"
"""What a message is read from; indexing gives a byte."""

_GROUP = 3
_KINDS = {_GROUP: "a group, which ONNX has none of", 4: "the end of a group that was not begun"}


class Malformed(Exception):
    """
    The bytes are no message.

    Args:
        offset: Where, counted from the start of the buffer.
        reason: What is wrong there.
        sure: Whether every parser refuses them; some take what is not looked at here.
    """

    def __init__(self, offset: int, reason: str, *, sure: bool = True) -> None:
        super().__init__(offset, reason)
        self.offset = offset
        self.reason = reason
        self.sure = sure


def fields(data: Buffer, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """
    The fields of the message at bytes *start* to *stop*, in the order of the file.

    Fields of four or eight bytes are stepped over: nothing that is read here has one.

    Yields:
        The tag (number << 3 | wire type) and two numbers: start and stop of the content
        where the wire type is 2, the value and its own offset where it is 0.

    Raises:
        Malformed: If the bytes are no message. Fields before it have been handed out.
    """
    position = start
    while position < stop:
        at = position
        tag = data[position]
        position += 1
        if tag > 0x7F:
            tag, position = _varint(data, at, stop)
        kind = tag & 7
        if tag < 8:
            raise Malformed(at, "a field of number 0")
        if kind == 2:
            if position >= stop:
                raise Malformed(at, "the length of a field is cut off")
            size = data[position]
            position += 1
            if size > 0x7F:
                size, position = _varint(data, position - 1, stop)
            end = position + size
            if end > stop:
                raise Malformed(
                    at, f"a field of {size} bytes where {stop - position} bytes are left"
                )
            yield tag, position, end
            position = end
        elif kind == 0:
            value, position = _varint(data, position, stop)
            yield tag, value, at
        elif kind == 5 or kind == 1:
            position += 4 if kind == 5 else 8
            if position > stop:
                raise Malformed(at, "a number is cut off")
        else:
            reason = _KINDS.get(kind, f"a field of the unknown wire type {kind}")
            raise Malformed(at, reason, sure=kind != _GROUP)


def signed(value: int) -> int:
    """The int64 that a varint stands for."""
    return value - (1 << 64) if value >> 63 else value


def text(data: Buffer, start: int, stop: int) -> str:
    """
    The string at bytes *start* to *stop*.

    What is not UTF-8 in it becomes U+FFFD: onnxruntime does not mind, and such a producer or
    axis is no reason to refuse a file.
    """
    return data[start:stop].decode(errors="replace")


def _varint(data: Buffer, position: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    at = position
    while position < stop:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift == 70:
            raise Malformed(at, "a number of more than 10 bytes")
    raise Malformed(at, "a number is cut off")
