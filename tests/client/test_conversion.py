"""What a user may hand in for a tensor, and what is refused."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tritonkit.client.conversion import to_array
from tritonkit.client.wire.datatypes import BFLOAT16, DATATYPES, to_bfloat16
from tritonkit.errors import InvalidInput

ANY = (-1,)
WHOLE = ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"]
NUMBERS = [*WHOLE, "FP16", "FP32", "FP64"]


def convert(value: Any, datatype: str, shape: tuple[int, ...] = ANY) -> NDArray[Any]:
    return to_array(value, datatype, shape, batched=False)


@pytest.mark.parametrize(
    ("value", "datatype", "shape", "expected"),
    [
        ([1, 2], "INT64", (-1,), [1, 2]),
        ([1, 2], "INT8", (-1,), [1, 2]),
        ([1, 2], "FP32", (-1,), [1, 2]),
        ([1.5, 2], "FP16", (-1,), [1.5, 2]),
        ([0.1], "FP32", (-1,), [np.float32(0.1)]),
        ([], "FP32", (-1,), []),
        ([], "BYTES", (-1,), []),
        ([[], []], "INT32", (-1, -1), [[], []]),
        ([True, False], "BOOL", (-1,), [True, False]),
        (["a", b"b\0"], "BYTES", (-1,), ["a", b"b\0"]),
        ("a", "BYTES", (-1, 1), [["a"]]),
        (b"a", "BYTES", (1,), [b"a"]),
        (["a", "b"], "BYTES", (-1, 1), [["a"], ["b"]]),
        (0.5, "FP32", (-1, 1), [[0.5]]),
        (0.5, "FP32", (), 0.5),
        (np.float32(0.5), "FP32", (1,), [0.5]),
        (np.array([1, 2]), "INT32", (-1, 1, 1), [[[1]], [[2]]]),
        (((1, 2), (3, 4)), "INT32", (2, 2), [[1, 2], [3, 4]]),
        (range(3), "INT32", (-1,), [0, 1, 2]),
        (np.array(["ab"]), "BYTES", (-1,), ["ab"]),
        (np.array([1.5], dtype=np.float16), "FP32", (-1,), [1.5]),
        (np.array([3], dtype=np.uint8), "FP16", (-1,), [3]),
        (np.array([3], dtype=">i4"), "INT32", (-1,), [3]),
    ],
)
def test_takes(value: Any, datatype: str, shape: tuple[int, ...], expected: Any) -> None:
    array = convert(value, datatype, shape)
    assert array.tolist() == expected or array.item() == expected
    if datatype != "BYTES":
        assert array.dtype == DATATYPES[datatype]


@pytest.mark.parametrize(
    ("value", "datatype", "reason"),
    [
        (
            np.zeros(2),
            "FP32",
            r"FP32 \[-1\], but got float64 \[2\].*astype\(numpy.float32\)",
        ),
        (np.zeros(2, dtype=np.float32), "FP16", "astype"),
        ([1.0], "INT32", "must be INT32 .* but got float64"),
        ([1], "BOOL", "must be BOOL"),
        ([300], "INT8", r"value 300 at \[0\] does not fit"),
        ([0, -1], "UINT64", r"value -1 at \[1\] does not fit"),
        ([1, 2**63], "INT64", r"must be INT64 .* but got float64"),
        ([1, 2**63, 0.5], "UINT64", r"must be UINT64 .* but got float64"),
        ([2**64 - 1], "INT64", "does not fit"),
        (np.array([2**31]), "INT32", "2147483648"),
        ([2**24 + 1], "FP32", "16777217"),
        ([2**53 + 1], "FP64", "does not fit"),
        ([1e39], "FP32", r"1e\+39"),
        ([70000.0], "FP16", "70000"),
        (["1"], "INT32", "must be INT32, but got"),
        ("1", "FP32", "must be FP32, but got '1'"),
        ([None], "FP32", "must be FP32"),
        (None, "FP32", "but got None"),
        ([1j], "FP32", "complex"),
        ([1], "BYTES", "must be text or bytes .* but got 1"),
        (["a", 1], "BYTES", "but got 1"),
        ([None], "BYTES", "but got None"),
        (np.array([1]), "BYTES", "but got int64"),
        ([[1], [1, 2]], "INT32", "ragged"),
        ([["a"], ["a", "b"]], "BYTES", "ragged"),
        ([1.0], "INT32", "float64"),
        (np.array([2.0]), "BF16", "takes float32"),
        (np.array([1.0], dtype=ml_dtypes.bfloat16), "FP32", "but got bfloat16"),
        ([2**64], "INT64", "must be INT64"),
    ],
)
def test_refuses_what_would_change(value: Any, datatype: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        convert(value, datatype)


def test_an_array_that_fits_is_not_copied() -> None:
    array = np.zeros((2, 3), dtype=np.float32)
    assert convert(array, "FP32", (-1, 3)) is array


@pytest.mark.parametrize(
    "value",
    [
        [1.1, -2.5],
        np.array([1.1, -2.5], dtype=np.float32),
        np.array([1.1, -2.5], dtype=ml_dtypes.bfloat16),
        to_bfloat16(np.array([1.1, -2.5], dtype=np.float32)),
    ],
)
def test_bfloat16(value: Any) -> None:
    array = convert(value, "BF16")
    expected = np.array([1.1, -2.5], dtype=ml_dtypes.bfloat16)
    assert array.tobytes() == expected.tobytes()
    assert array.dtype in (BFLOAT16, expected.dtype)


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        ((3,), (-1, 16)),
        ((16,), (-1, 16)),
        ((2, 15), (-1, 16)),
        ((2, 16, 1), (-1, 16)),
        ((16,), (16, -1)),
        ((), (2,)),
        ((1, 1), (1,)),
        ((2,), ()),
    ],
)
def test_refuses_another_shape(got: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput) as error:
        convert(np.zeros(got, dtype=np.float32), "FP32", wanted)
    assert f"must have shape {list(wanted)} (FP32), but got {list(got)}" in str(error.value)


def test_a_forgotten_batch_dimension_gets_a_hint() -> None:
    with pytest.raises(InvalidInput, match="the first dimension is the batch"):
        to_array(np.zeros(16, dtype=np.float32), "FP32", (-1, 16), batched=True)


@given(
    st.sampled_from(NUMBERS).flatmap(
        lambda name: hnp.arrays(DATATYPES[name], hnp.array_shapes(max_dims=1, max_side=6))
    ),
    st.sampled_from(NUMBERS),
)
def test_what_is_taken_keeps_its_value(array: NDArray[Any], datatype: str) -> None:
    try:
        converted = convert(array, datatype)
    except InvalidInput:
        assert array.dtype != DATATYPES[datatype]
        return
    # Python's own numbers compare without rounding.
    for before, after in zip(array.tolist(), converted.tolist(), strict=True):
        assert before == after or before != before


@given(st.sampled_from(WHOLE), st.sampled_from(NUMBERS), st.data())
def test_whole_numbers_that_fit_are_taken(source: str, wanted: str, data: st.DataObject) -> None:
    limits = [np.iinfo(DATATYPES[n]) for n in (source, wanted) if n.startswith(("I", "U"))]
    low, high = max(i.min for i in limits), min(i.max for i in limits)
    if wanted.startswith("F"):
        exact = 2 ** (np.finfo(DATATYPES[wanted]).nmant + 1)
        low, high = max(low, -exact), min(high, exact)
    values = data.draw(st.lists(st.integers(int(low), int(high)), min_size=1, max_size=4))
    for given_ in (values, np.array(values, dtype=DATATYPES[source])):
        assert convert(given_, wanted).tolist() == values


@pytest.mark.parametrize(
    ("value", "datatype"),
    [
        ([[100_000_000]], "FP32"),
        ([[4096]], "FP16"),
        (np.array([[2**63]], dtype=np.uint64), "FP32"),
        ([[-(2**63)]], "FP64"),
    ],
)
def test_an_integer_that_a_float_holds_is_taken(value: Any, datatype: str) -> None:
    assert convert(value, datatype, (-1, -1)).tolist() == np.asarray(value).tolist()


@given(st.sampled_from(WHOLE), st.sampled_from(["FP16", "FP32", "FP64"]), st.data())
def test_an_integer_is_taken_exactly_where_the_float_is_the_same(
    source: str, wanted: str, data: st.DataObject
) -> None:
    limits = np.iinfo(DATATYPES[source])
    value = data.draw(st.integers(int(limits.min), int(limits.max)))
    value = data.draw(st.sampled_from([value, int(limits.min), int(limits.max)]))
    with np.errstate(over="ignore"):
        exact = float(np.array([value], DATATYPES[source]).astype(DATATYPES[wanted])[0]) == value
    try:
        convert(np.array([value], dtype=DATATYPES[source]), wanted)
    except InvalidInput:
        assert not exact
    else:
        assert exact


def test_ragged_arrays_are_no_text() -> None:
    with pytest.raises(InvalidInput, match="ragged"):
        convert([np.full((1, 2), "a"), np.full((1, 1), "a")], "BYTES")


@pytest.mark.parametrize("value", [[1, 2**63 + 1], [[2**64 - 1], [0]], [3, 4]])
def test_whole_numbers_of_64_bits_stay_what_they_are(value: list[Any]) -> None:
    """Numpy makes floats of 1 and 2**63 + 1 together, which cannot hold the second."""
    shape = np.shape(value)
    array = to_array(value, "UINT64", shape, batched=False)
    assert (array.dtype, array.tolist()) == (np.uint64, value)
