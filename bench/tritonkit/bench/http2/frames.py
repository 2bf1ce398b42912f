"""
HTTP/2's frames.

Source: RFC 9113, sections 4 and 6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from tritonkit.errors import ProtocolError

__all__ = [
    "ACK",
    "DEFAULT_WINDOW",
    "END_HEADERS",
    "END_STREAM",
    "MAX_WINDOW",
    "PREFACE",
    "Frame",
    "FrameReader",
    "Kind",
    "Setting",
    "frame",
    "frame_head",
    "read_settings",
    "settings",
]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first."""

DEFAULT_WINDOW = 65_535
"""Bytes that may be on the way until the other side allows more."""

MAX_WINDOW = 2**31 - 1

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
_PADDED = 0x8
_PRIORITY = 0x20

_HEAD = struct.Struct(">HBBBI")
_SETTING = struct.Struct(">HI")


class Kind(IntEnum):
    """Types of frames."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Setting(IntEnum):
    """What the two sides tell each other at the start."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5


class Frame(NamedTuple):
    """
    One frame, without its padding.

    Args:
        kind: Its type; an unknown one is to be ignored.
        flags: Its flags.
        stream: The stream it belongs to; 0 for the connection.
        payload: What it holds.
        size: Bytes that count against the window, padding included.
    """

    kind: int
    flags: int
    stream: int
    payload: bytes
    size: int


def frame(kind: Kind, flags: int, stream: int, payload: bytes | memoryview = b"") -> bytes:
    """A frame, ready to write."""
    return frame_head(kind, flags, stream, len(payload)) + payload


def frame_head(kind: Kind, flags: int, stream: int, size: int) -> bytes:
    """What stands before a payload of *size* bytes."""
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream)


def settings(values: dict[Setting, int]) -> bytes:
    """A frame of settings."""
    payload = b"".join([_SETTING.pack(name, value) for name, value in values.items()])
    return frame(Kind.SETTINGS, 0, 0, payload)


def read_settings(payload: bytes) -> dict[int, int]:
    """
    What a frame of settings says; unknown ones among them.

    Raises:
        ProtocolError: If it is cut off, or a value is none of HTTP/2.
    """
    if len(payload) % _SETTING.size:
        raise ProtocolError(f"HTTP/2 settings of {len(payload)} bytes are cut off")
    found = dict(_SETTING.iter_unpack(payload))
    if found.get(Setting.INITIAL_WINDOW_SIZE, 0) > MAX_WINDOW:
        raise ProtocolError("an HTTP/2 window must be below 2**31")
    if not 2**14 <= found.get(Setting.MAX_FRAME_SIZE, 2**14) < 2**24:
        raise ProtocolError("HTTP/2 frames must be allowed 2**14 to 2**24 - 1 bytes")
    return found


class FrameReader:
    """
    Takes bytes apart into frames, however they come.

    Args:
        max_size: Bytes of a payload that were allowed to the other side.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """
        The frames that are whole with *data*.

        Raises:
            ProtocolError: If a frame is too large, or its padding is longer than it.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted():
                return
            data = bytes(self._rest)
            self._rest.clear()
        start, end = 0, len(data)
        while end - start >= _HEAD.size:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, start)
            size = high << 8 | low
            if size > self._max_size:
                raise ProtocolError(f"an HTTP/2 frame of {size} bytes; {self._max_size} is allowed")
            body = start + _HEAD.size
            if end - body < size:
                break
            start = body + size
            payload = data[body:start]
            if kind <= Kind.HEADERS and flags & (_PADDED | _PRIORITY):
                payload = _bare(kind, flags, payload)
            yield Frame(kind, flags, stream & MAX_WINDOW, payload, size)
        if start < end:
            self._rest += data[start:] if start else data

    def _wanted(self) -> int:
        if len(self._rest) < _HEAD.size:
            return _HEAD.size
        high, low, *_ = _HEAD.unpack_from(self._rest)
        size: int = high << 8 | low
        return _HEAD.size + min(size, self._max_size)


def _bare(kind: int, flags: int, payload: bytes) -> bytes:
    """Without padding, and without what HTTP/2 had for priorities once."""
    start, padding = 0, 0
    if flags & _PADDED:
        start, padding = 1, payload[0] if payload else 1
    if kind == Kind.HEADERS and flags & _PRIORITY:
        start += 5
    if start + padding > len(payload):
        raise ProtocolError("the padding of an HTTP/2 frame is longer than the frame")
    return payload[start : len(payload) - padding]
