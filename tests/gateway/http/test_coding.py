"""Compressed bodies, and which compression an answer has."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.gateway.http.coding import TooLarge, Unpackable, accepted, coding_of, pack, unpack


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (b"gzip", "gzip"),
        (b"deflate", "deflate"),
        (b"gzip, deflate", "gzip"),
        (b"deflate, gzip", "deflate"),
        (b"gzip;q=0.5, deflate;q=0.8", "deflate"),
        (b"identity, gzip", "identity"),
        (b"gzip;q=0.5, identity", "identity"),
        (b"gzip;q=1, identity;q=0.5", "gzip"),
        (b"gzip, deflate, br", "gzip"),
        (b"gzip;q=0", "identity"),
        (b"gzip;q=0, *", "identity"),
        (b"*", "identity"),
        (b"GZIP", "identity"),
        (b"gzip; q=0.5", "identity"),
        (b"br", "identity"),
        (b"gzip;q=x", "identity"),
        (b"", "identity"),
        (None, "identity"),
    ],
)
def test_chooses_as_triton_does(header: bytes | None, coding: str) -> None:
    """Each of these was answered so by tritonserver 2.51, but for a weight that is no number."""
    assert accepted(header) == coding


def test_knows_the_codings_of_a_body() -> None:
    known = [coding_of(header) for header in (None, b"identity", b"gzip", b"deflate")]
    assert known == ["identity", "identity", "gzip", "deflate"]
    assert [coding_of(header) for header in (b"", b"br", b"GZIP", b"gzip, gzip")] == [None] * 4


@given(st.binary(max_size=2000), st.sampled_from(["gzip", "deflate", "identity"]))
async def test_gives_back_what_was_packed(body: bytes, coding: str) -> None:
    packed = await pack(body, coding)  # type: ignore[arg-type]
    assert await unpack(packed, coding, len(body)) == body  # type: ignore[arg-type]


async def test_stops_where_a_body_becomes_too_large() -> None:
    """Not after it has."""
    body = b"\0" * 10_000_000
    assert len(await unpack(gzip.compress(body), "gzip", len(body))) == len(body)
    for packed, coding in ((gzip.compress(body), "gzip"), (zlib.compress(body), "deflate")):
        with pytest.raises(TooLarge, match="more than 9999999 bytes"):
            await unpack(packed, coding, len(body) - 1)  # type: ignore[arg-type]
    with pytest.raises(TooLarge):
        await unpack(gzip.compress(b"a"), "gzip", 0)


async def test_takes_several_members_and_nothing_behind_them() -> None:
    two = gzip.compress(b"ab") + gzip.compress(b"cd")
    assert await unpack(two, "gzip", 4) == b"abcd"
    assert await unpack(two + b"junk", "gzip", 4) == b"abcd"
    with pytest.raises(TooLarge):
        await unpack(two, "gzip", 3)
    with pytest.raises(Unpackable, match="64 gzip members"):
        await unpack(gzip.compress(b"") * 65, "gzip", 4)


@pytest.mark.parametrize(
    "body", [b"", b"xxxx", gzip.compress(b"abc")[:-1], gzip.compress(b"abc" * 99)[:-12]]
)
async def test_refuses_what_is_none(body: bytes) -> None:
    with pytest.raises(Unpackable, match="the body is not gzip"):
        await unpack(body, "gzip", 1000)
