"""Header fields, against RFC 7541's own examples and against grpc's server in test_connection."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.http2 import huffman
from tritonkit.bench.http2.headers import TABLE_SIZE, HeaderBlocks, read_block
from tritonkit.errors import ProtocolError

NAMES = st.text("abcdefghij-", min_size=1, max_size=300)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=3000)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("f1e3c2e5f23a6ba0ab90f4ff", b"www.example.com"),
        ("a8eb10649cbf", b"no-cache"),
        ("25a849e95ba97d7f", b"custom-key"),
        ("25a849e95bb8e8b4bf", b"custom-value"),
        ("d07abe941054d444a8200595040b8166e082a62d1bff", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        ("9d29ad171863c78f0b97c8e9ae82ae43d3", b"https://www.example.com"),
        (
            "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b106"
            "3d5007",
            b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ),
    ],
)
def test_huffman_as_in_the_rfc(code: str, text: bytes) -> None:
    """RFC 7541, C.4 and C.6."""
    assert huffman.decode(bytes.fromhex(code)) == text


@pytest.mark.parametrize("code", ["ffffffff", "f1e3c2e5f23a6ba0ab90f400"], ids=["long", "zeros"])
def test_what_is_no_huffman_code(code: str) -> None:
    with pytest.raises(ProtocolError):
        huffman.decode(bytes.fromhex(code))


def test_responses_as_in_the_rfc() -> None:
    """RFC 7541, C.5.1 and C.6.1: literals that would go into a table, which holds nothing here."""
    fields = {
        ":status": "302",
        "cache-control": "private",
        "date": "Mon, 21 Oct 2013 20:13:21 GMT",
        "location": "https://www.example.com",
    }
    plain = (
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d"
        "546e1768747470733a2f2f7777772e6578616d706c652e636f6d"
    )
    coded = (
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c7"
        "8f0b97c8e9ae82ae43d3"
    )
    assert read_block(bytes.fromhex(plain)) == fields
    assert read_block(bytes.fromhex(coded)) == fields


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_what_is_written_is_read(fields: dict[str, str]) -> None:
    """The blocks that need no table; all fields as they were given."""
    blocks = HeaderBlocks([(name.encode(), value.encode()) for name, value in fields.items()])
    assert read_block(blocks.plain) == fields
    assert read_block(blocks.first) == fields
    assert read_block(blocks.shrunk) == fields
    assert blocks.table_bytes <= TABLE_SIZE


def test_later_requests_name_places_in_the_table() -> None:
    """The newest field is at place 62; one that had no room is written out again."""
    large = b"x" * TABLE_SIZE
    blocks = HeaderBlocks([(b":method", b"POST"), (b"a", b"1"), (b"b", large), (b"c", b"2")])
    assert blocks.later[:2] == bytes([0x80 | 3, 0x80 | 63])
    assert blocks.later[-1:] == bytes([0x80 | 62])
    assert large in blocks.later
    with pytest.raises(ProtocolError, match="63"):
        read_block(blocks.later)


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_refused(block: bytes) -> None:
    with suppress(ProtocolError):
        read_block(block)
