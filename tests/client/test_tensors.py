"""Bytes of tensors: wire-identical to tritonclient, in both directions."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tritonclient.utils import (
    deserialize_bytes_tensor,
    np_to_triton_dtype,
    serialize_byte_tensor,
    triton_to_np_dtype,
)

from tritonkit.client.wire.datatypes import (
    BFLOAT16,
    DATATYPES,
    datatype_of,
    from_bfloat16,
    to_bfloat16,
)
from tritonkit.client.wire.tensors import decode_tensor, encode_tensor
from tritonkit.errors import InvalidInput, ProtocolError

NUMERIC = sorted(DATATYPES.keys() - {"BYTES", "BF16"})
TEXTS = st.one_of(st.text(), st.binary(), st.sampled_from(["", b"", b"\0", b"\xff", "x" * 2000]))
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def encoded(array: NDArray[Any]) -> bytes:
    datatype = datatype_of(array.dtype)
    assert datatype is not None
    data, size = encode_tensor(array, datatype)
    assert len(bytes(data)) == size
    return bytes(data)


@pytest.mark.parametrize("datatype", [*NUMERIC, "BYTES"])
def test_types_are_named_as_tritonclient_names_them(datatype: str) -> None:
    assert np_to_triton_dtype(DATATYPES[datatype]) == datatype_of(DATATYPES[datatype]) == datatype
    assert triton_to_np_dtype(datatype) == DATATYPES[datatype]


@pytest.mark.parametrize("dtype", ["U3", "S3"])
def test_numpy_texts_are_bytes(dtype: str) -> None:
    assert datatype_of(np.dtype(dtype)) == "BYTES"


@pytest.mark.parametrize("dtype", [np.dtype("c8"), np.dtype("M8[s]"), np.dtype("V4")])
def test_types_unknown_to_triton_have_no_name(dtype: np.dtype[Any]) -> None:
    assert datatype_of(dtype) is None


@given(data=st.data(), datatype=st.sampled_from(NUMERIC), shape=SHAPES)
def test_numbers_travel_as_their_memory(
    data: st.DataObject, datatype: str, shape: tuple[int, ...]
) -> None:
    array = data.draw(hnp.arrays(DATATYPES[datatype], shape))
    sent = encoded(array)
    assert sent == array.tobytes()
    back = decode_tensor(memoryview(sent), datatype, shape)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == sent


def test_numbers_of_any_layout_are_sent_in_row_order_and_little_endian() -> None:
    array = np.arange(12, dtype=np.int32).reshape(3, 4)
    for same in (np.asfortranarray(array), array.astype(">i4"), array.repeat(2, axis=0)[::2]):
        assert encoded(same) == array.tobytes()


def test_an_answer_is_a_read_only_view() -> None:
    body = np.arange(6, dtype=np.float32).tobytes()
    array = decode_tensor(memoryview(body), "FP32", (2, 3))
    assert not array.flags.owndata
    assert not array.flags.writeable


@given(hnp.arrays(np.object_, hnp.array_shapes(max_dims=3, min_side=0), elements=TEXTS))
def test_texts_travel_as_tritonclient_sends_them(array: NDArray[Any]) -> None:
    sent = encoded(array)
    theirs = serialize_byte_tensor(array)
    assert sent == (theirs.item() if theirs.size else b"")
    back = decode_tensor(memoryview(sent), "BYTES", array.shape)
    assert back.shape == array.shape
    assert back.ravel().tolist() == deserialize_bytes_tensor(sent).tolist()


@pytest.mark.parametrize("array", [np.array(["é", "abc"]), np.array([[b"ab"], [b"c\0"]])])
def test_texts_of_numpys_own_types(array: NDArray[Any]) -> None:
    assert encoded(array) == encoded(array.astype(np.object_))


def test_a_text_beyond_the_ready_lengths() -> None:
    array = np.array(["x" * 1023, "y" * 1024, ""], dtype=np.object_)
    assert encoded(array) == serialize_byte_tensor(array).item()


@pytest.mark.parametrize("element", [None, 1, 1.5, ["a"], "\ud800"])
def test_what_is_no_text_is_refused(element: object) -> None:
    array = np.empty(1, dtype=np.object_)
    array[0] = element
    with pytest.raises(InvalidInput, match=r"str or bytes|UTF-8"):
        encoded(array)


@given(
    st.lists(st.binary(max_size=6), min_size=1, max_size=6),
    st.data(),
)
def test_a_truncated_or_padded_text_tensor_is_refused(
    items: list[bytes], data: st.DataObject
) -> None:
    array = np.array(items, dtype=np.object_)
    sent = encoded(array)
    cut = data.draw(st.integers(0, len(sent) - 1))
    for wrong in (sent[:cut], sent + b"\0"):
        with pytest.raises(ProtocolError):
            decode_tensor(memoryview(wrong), "BYTES", array.shape)


@given(st.binary(max_size=40), st.integers(0, 12))
def test_any_bytes_as_texts_are_read_or_refused(data: bytes, count: int) -> None:
    try:
        array = decode_tensor(memoryview(data), "BYTES", (count,))
    except ProtocolError:
        return
    assert encoded(array) == data


def test_a_huge_shape_takes_no_memory() -> None:
    for datatype in ("BYTES", "FP64"):
        with pytest.raises(ProtocolError):
            decode_tensor(memoryview(b"1234"), datatype, (10**9, 10**9))


@pytest.mark.parametrize("shape", [(0, 10**30), (1,) * 100])
@pytest.mark.parametrize("datatype", ["BYTES", "INT8", "BF16"])
def test_a_shape_that_no_array_has_is_refused(datatype: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ProtocolError):
        decode_tensor(memoryview(b"a" if 0 not in shape else b""), datatype, shape)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ProtocolError, match="COMPLEX"):
        decode_tensor(memoryview(b""), "COMPLEX", (0,))


@pytest.mark.parametrize("high", range(0, 2**16, 4099))
def test_bfloat16_rounds_as_ml_dtypes(high: int) -> None:
    """Every lower half below some upper halves: signs, infinities, NaN, subnormals."""
    bits = (np.uint32(high) << np.uint32(16)) | np.arange(2**16, dtype=np.uint32)
    values = bits.view(np.float32)
    with np.errstate(all="ignore"):
        theirs = values.astype(ml_dtypes.bfloat16)
    ours = to_bfloat16(values)
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -np.nan, 3.4e38, -3.4e38, -0.0])
def test_bfloat16_rounds_special_values_as_ml_dtypes(value: float) -> None:
    values = np.array(value, dtype=np.float32)
    with np.errstate(all="ignore"):
        assert to_bfloat16(values).tobytes() == values.astype(ml_dtypes.bfloat16).tobytes()
    assert to_bfloat16(values).shape == ()


def test_bfloat16_widens_as_ml_dtypes() -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    theirs = bits.view(ml_dtypes.bfloat16).astype(np.float32)
    assert from_bfloat16(bits).tobytes() == theirs.tobytes()
    sent = bits.tobytes()
    assert decode_tensor(memoryview(sent), "BF16", (2, 2**15)).tobytes() == theirs.tobytes()


def test_bfloat16_is_sent_from_ours_and_from_ml_dtypes() -> None:
    values = np.array([[1.5, -2.25, 3.1]], dtype=np.float32)
    theirs = values.astype(ml_dtypes.bfloat16)
    assert to_bfloat16(values).dtype == BFLOAT16
    assert datatype_of(BFLOAT16) == datatype_of(theirs.dtype) == "BF16"
    assert encoded(to_bfloat16(values)) == encoded(theirs) == theirs.tobytes()
