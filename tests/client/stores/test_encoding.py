"""An entry as bytes: the same comes back, and nothing else ever does."""

from __future__ import annotations

import json
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
import xxhash
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from tritonkit.client.stores.encoding import FOREVER, MAX_BYTES, Stored, decode, encode, encode_body
from tritonkit.client.stores.store import Entry

KEY = bytes(range(16))
OTHER = bytes(range(1, 17))
KINDS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")

numbers = npst.arrays(
    st.sampled_from([np.dtype(kind) for kind in (*KINDS, "?")]),
    npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
texts = npst.arrays(
    np.object_, npst.array_shapes(min_side=0, max_side=4), elements=st.binary(max_size=20)
)
parameters = st.dictionaries(
    st.text(max_size=5),
    st.text(max_size=5) | st.integers() | st.floats(allow_nan=False) | st.booleans(),
    max_size=3,
)
entries = st.builds(
    Entry,
    outputs=st.dictionaries(st.text(max_size=8), numbers | texts, max_size=3),
    created=st.just(0.0),
    parameters=parameters,
)
times = st.integers(-(2**63), 2**63 - 1)

GOLDEN = (
    "544b45312da13cb65fc5f79e0000401e18240a06000087930300000000000102030405060708090a"
    "0b0c0d0e0f2a0000000100010079020201000000000000000200000000000000040000000100feff"
    "7b2261223a20747275657d"
)


def example() -> Entry:
    text = np.array([[b"a", b"bc"]], dtype=np.object_)
    return Entry(
        {"y": np.arange(4, dtype=np.float32).reshape(1, 4), "text": text},
        created=0.0,
        parameters={"n": 1, "flag": True, "x": 1.0, "s": "1"},
    )


def pack(entry: Entry, *, compress: bool = False) -> bytes:
    body = encode_body(entry)
    assert body is not None
    data = encode(KEY, body, created=5, lifetime=FOREVER, compress=compress)
    assert data is not None
    return data


def seal(data: bytes) -> bytes:
    """*data* with the checksum that it should have."""
    return data[:4] + struct.pack("<Q", xxhash.xxh3_64_intdigest(data[12:])) + data[12:]


def same(found: NDArray[Any], put: NDArray[Any]) -> bool:
    if found.dtype != put.dtype or found.shape != put.shape:
        return False
    if put.dtype == object:
        return bool(found.tolist() == put.tolist())
    return found.tobytes() == put.tobytes()


@given(entry=entries, created=times, lifetime=st.integers(FOREVER, 2**63 - 1), compress=...)
def test_what_was_put_comes_back(entry: Entry, created: int, lifetime: int, compress: bool) -> None:
    body = encode_body(entry)
    assert body is not None
    data = encode(KEY, body, created=created, lifetime=lifetime, compress=compress)
    assert data is not None
    stored = decode(KEY, data)
    assert stored is not None
    assert (stored.created, stored.lifetime) == (created, lifetime)
    assert list(stored.outputs) == list(entry.outputs)
    for name, array in entry.outputs.items():
        assert same(stored.outputs[name], array)
    assert stored.parameters == entry.parameters
    assert [type(v) for v in stored.parameters.values()] == [
        type(v) for v in entry.parameters.values()
    ]


def test_a_golden_vector() -> None:
    """Written by this version; another that reads it otherwise needs another number."""
    entry = Entry({"y": np.array([[1, -2]], np.int16)}, created=0.0, parameters={"a": True})
    body = encode_body(entry)
    assert body is not None
    data = encode(KEY, body, created=1_700_000_000_000_000, lifetime=60_000_000)
    assert data == bytes.fromhex(GOLDEN)


def test_arrays_are_read_only_and_hold_no_more_than_their_bytes() -> None:
    stored = decode(KEY, pack(example()))
    assert stored is not None
    array = stored.outputs["y"]
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 7
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True
    owner = array
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    assert len(owner) == array.nbytes
    with pytest.raises(ValueError, match="read-only"):
        stored.outputs["text"][0, 0] = b""


@pytest.mark.parametrize("compress", [False, True])
def test_a_flipped_bit_anywhere_is_noticed(compress: bool) -> None:
    zeros = Entry({"y": np.zeros((1, 256), np.float32)}, created=0.0)
    data = pack(zeros if compress else example(), compress=compress)
    assert decode(KEY, data) is not None
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        assert decode(KEY, bytes(wrong)) is None


@pytest.mark.parametrize("compress", [False, True])
def test_what_is_too_short_or_too_long_is_noticed(compress: bool) -> None:
    data = pack(example(), compress=compress)
    for end in range(len(data)):
        assert decode(KEY, data[:end]) is None
    for more in (b"\0", data, bytes(1000)):
        assert decode(KEY, data + more) is None


def test_under_another_key_it_is_nothing() -> None:
    data = pack(example())
    assert decode(OTHER, data) is None
    assert decode(b"", data) is None


@given(data=st.binary(max_size=200))
def test_foreign_bytes_are_nothing(data: bytes) -> None:
    assert decode(KEY, data) is None
    assert decode(KEY, b"TKE1" + data) is None


@given(head=st.binary(min_size=37, max_size=37), body=st.binary(max_size=200), zstd=...)
def test_nonsense_with_a_right_checksum_raises_nothing(
    head: bytes, body: bytes, zstd: bool
) -> None:
    """As somebody could write it who knows the format."""
    flags = struct.pack("<B", zstd)
    size = struct.pack("<I", len(body))
    packed = zstandard.ZstdCompressor().compress(body) if zstd else body
    data = seal(b"TKE1" + bytes(8) + flags + head[:16] + KEY + size + packed)
    stored = decode(KEY, data)
    assert stored is None or isinstance(stored, Stored)


@given(cut=st.integers(0, 200), junk=st.binary(min_size=1, max_size=8))
def test_a_damaged_body_with_a_right_checksum_raises_nothing(cut: int, junk: bytes) -> None:
    data = pack(example())
    at = 49 + cut % (len(data) - 49)
    stored = decode(KEY, seal(data[:at] + junk + data[at + len(junk) :])[: len(data)])
    assert stored is None or isinstance(stored, Stored)


def test_another_version_is_nothing() -> None:
    data = pack(example())
    assert decode(KEY, seal(b"TKE2" + data[4:])) is None
    assert decode(KEY, seal(data[:12] + b"\x02" + data[13:])) is None


@pytest.mark.parametrize("claimed", [10, MAX_BYTES, MAX_BYTES + 1, 2**32 - 1])
def test_a_bomb_is_not_unpacked(claimed: int) -> None:
    """Neither where the frame holds more than the head says, nor where both say too much."""
    head = b"TKE1" + bytes(8) + b"\x01" + bytes(16) + KEY + struct.pack("<I", claimed)
    bomb = zstandard.ZstdCompressor().compress(bytes(200 * 2**20))
    nameless = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(2**20))
    for frame in (bomb, nameless):
        data = seal(head + frame)
        tracemalloc.start()
        assert decode(KEY, data) is None
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**20


def test_dimensions_beyond_memory_are_nothing() -> None:
    for dims in ((2**40, 2**40), (0, 2**63), (2**64 - 1,), (2**32, 2**32)):
        table = struct.pack("<HH1sBB", 1, 1, b"y", 9, len(dims))
        body = table + struct.pack(f"<{len(dims)}QI", *dims, 0)
        head = b"TKE1" + bytes(8) + b"\0" + bytes(16) + KEY + struct.pack("<I", len(body))
        assert decode(KEY, seal(head + body)) is None


def test_there_is_no_way_to_code() -> None:
    """Parameters are JSON; what is in them beside values of a request is nothing."""
    for value in ([1], {"a": {}}, {"a": [1]}, {"a": None}, "a", 1):
        body = struct.pack("<H", 0) + json.dumps(value).encode()
        head = b"TKE1" + bytes(8) + b"\0" + bytes(16) + KEY + struct.pack("<I", len(body))
        assert decode(KEY, seal(head + body)) is None
    deep = struct.pack("<H", 0) + b"[" * 100_000
    head = b"TKE1" + bytes(8) + b"\0" + bytes(16) + KEY + struct.pack("<I", len(deep))
    assert decode(KEY, seal(head + deep)) is None


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a"]),
        np.array(["a"], dtype=np.object_),
        np.array([1j]),
        np.array([(1,)], dtype=[("bfloat16", "<u2")]),
        np.array(["2026-01-01"], dtype="datetime64[D]"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_what_would_come_back_as_another_type_is_not_kept(array: NDArray[Any]) -> None:
    assert encode_body(Entry({"y": array}, 0.0)) is None


def test_what_is_too_large_is_not_kept() -> None:
    array = np.zeros(MAX_BYTES + 1, np.uint8)
    assert encode_body(Entry({"y": array}, 0.0)) is None
    assert encode(KEY, b"", created=2**63, lifetime=FOREVER) is None


def test_compression_is_used_where_it_pays() -> None:
    zeros = Entry({"y": np.zeros((1, 1000), np.float32)}, created=0.0)
    noise = Entry({"y": np.random.default_rng(0).integers(0, 255, (1, 4000), np.uint8)}, 0.0)
    assert len(pack(zeros, compress=True)) < 200
    assert pack(noise, compress=True) == pack(noise)
    assert pack(example(), compress=True) == pack(example())
