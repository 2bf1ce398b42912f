"""Frames out of bytes, however they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.http2.frames import (
    END_STREAM,
    Frame,
    FrameReader,
    Kind,
    Setting,
    frame,
    read_settings,
    settings,
)
from tritonkit.errors import ProtocolError

FRAMES = st.lists(
    st.tuples(
        st.sampled_from([Kind.DATA, Kind.HEADERS, Kind.PING, Kind.GOAWAY]),
        st.sampled_from([0, END_STREAM]),
        st.integers(0, 2**31 - 1),
        st.binary(max_size=40),
    ),
    max_size=8,
)


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1))
def test_frames_survive_any_split(
    frames: list[tuple[Kind, int, int, bytes]], sizes: list[int]
) -> None:
    data = b"".join(frame(*one) for one in frames)
    reader = FrameReader(2**14)
    found: list[Frame] = []
    while data:
        size, sizes = sizes[0], [*sizes[1:], sizes[0]]
        found += reader.feed(data[:size])
        data = data[size:]

    assert [(one.kind, one.flags, one.stream, one.payload) for one in found] == frames


@given(st.binary(max_size=40), st.integers(0, 20), st.booleans())
def test_padding_and_priorities_are_left_out(data: bytes, padding: int, headers: bool) -> None:
    """Flag 0x8 puts a length before and zeros behind; 0x20, of HEADERS only, 5 bytes before."""
    kind = Kind.HEADERS if headers else Kind.DATA
    flags = 0x28 if headers else 0x8
    payload = bytes([padding]) + (b"prior" if headers else b"") + data + b"\0" * padding
    [one] = FrameReader(2**14).feed(frame(kind, flags, 1, payload))

    assert one.payload == data
    assert one.size == len(payload)


@pytest.mark.parametrize("payload", [b"", b"\x05abc"])
def test_padding_longer_than_its_frame(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="padding"):
        list(FrameReader(2**14).feed(frame(Kind.DATA, 0x8, 1, payload)))


def test_a_frame_that_was_not_allowed() -> None:
    """It is refused by its head, before it is kept."""
    with pytest.raises(ProtocolError, match="frame of 11 bytes"):
        list(FrameReader(10).feed(frame(Kind.DATA, 0, 1, b"x" * 11)[:9]))


def test_settings_travel() -> None:
    values = {Setting.ENABLE_PUSH: 0, Setting.MAX_FRAME_SIZE: 2**20}
    [one] = FrameReader(2**14).feed(settings(values))
    assert read_settings(one.payload) == values


@pytest.mark.parametrize(
    "payload",
    [b"12345", b"\0\x04\x80\0\0\0", b"\0\x05\0\0\0\x01"],
    ids=["cut off", "window", "frame size"],
)
def test_settings_that_are_none(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_settings(payload)
