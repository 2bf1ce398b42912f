"""A user's value as the array that a tensor takes, where nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.wire.datatypes import BFLOAT16, DATATYPES, datatype_of, to_bfloat16
from tritonkit.errors import InvalidInput

__all__ = ["as_given", "to_array", "whole_numbers"]


def to_array(value: Any, datatype: str, shape: Sequence[int], *, batched: bool) -> NDArray[Any]:
    """
    Convert a value to a tensor's type and shape.

    Integers may change their width, and become floats, where every value stays
    what it is. Python's floats take the tensor's precision, since they have none
    of their own; an array of float64 does not, since its owner chose it. FP32
    rounds to BF16, which numpy cannot hold. Trailing dimensions that the tensor
    fixes at 1 may be left out, and a scalar stands for a tensor of one element.

    Args:
        value: An array, nested lists, a scalar, str or bytes.
        datatype: Triton's name of the type wanted.
        shape: The shape wanted; -1 is any size.
        batched: Whether the first dimension is the batch; shapes the error only.

    Raises:
        InvalidInput: If the value does not fit; the message lacks its subject.
    """
    if isinstance(value, np.ndarray) and value.dtype == DATATYPES[datatype] and datatype != "BF16":
        array = value
    elif datatype == "BYTES":
        array = _texts(value)
    else:
        array = _numbers(value, datatype, shape)
    if len(shape) == array.ndim and all(
        want in (-1, got) for want, got in zip(shape, array.shape, strict=True)
    ):
        return array
    return _fit(array, datatype, shape, batched=batched)


def as_given(inputs: Mapping[str, Any] | Any) -> dict[str, NDArray[Any]]:
    """
    A user's inputs as arrays where nobody knows what the model takes.

    Arrays keep their type, numbers have numpy's, a scalar or a text is one row. A value
    without a name stands under the empty one. What a server would take may differ.

    Raises:
        InvalidInput: If a value is none that any model takes.
    """
    named = inputs if isinstance(inputs, Mapping) else {"": inputs}
    arrays = {}
    for name, value in named.items():
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise InvalidInput("is ragged: its rows have different lengths") from error
        if array.dtype.kind in "SUTO":
            array = np.asarray(_texts(value))
        if datatype_of(array.dtype) is None:
            raise InvalidInput(f"no model takes {array.dtype}")
        arrays[name] = array.reshape(1) if array.ndim == 0 else array
    return arrays


def _fit(
    array: NDArray[Any], datatype: str, shape: Sequence[int], *, batched: bool
) -> NDArray[Any]:
    if array.ndim == 0 and all(want in (-1, 1) for want in shape):
        return array.reshape((1,) * len(shape))
    given, left_out = shape[: array.ndim], shape[array.ndim :]
    if array.ndim and left_out and all(want == 1 for want in left_out) and _fits(array, given):
        return array.reshape(array.shape + (1,) * len(left_out))
    hint = ""
    if batched and _fits(array, shape[1:]):
        hint = "; the first dimension is the batch: numpy.expand_dims(x, 0) adds it"
    raise InvalidInput(
        f"must have shape {list(shape)} ({datatype}), but got {list(array.shape)}{hint}"
    )


def _fits(array: NDArray[Any], shape: Sequence[int]) -> bool:
    return len(shape) == array.ndim and all(
        want in (-1, got) for want, got in zip(shape, array.shape, strict=True)
    )


def _texts(value: Any) -> NDArray[Any]:
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if datatype_of(array.dtype) != "BYTES":
            raise InvalidInput(f"must be text or bytes (BYTES), but got {array.dtype}")
        return array
    # Of dtype object from the start: numpy's own text types would turn numbers
    # into text and cut zero bytes off the end.
    try:
        array = np.array(value, dtype=np.object_)
    except ValueError as error:
        raise InvalidInput("is ragged: its rows have different lengths") from error
    for item in array.ravel().tolist():
        if isinstance(item, (list, tuple)):
            raise InvalidInput("is ragged: its rows have different lengths")
        if not isinstance(item, (str, bytes)):
            raise InvalidInput(f"must be text or bytes (BYTES), but got {item!r}")
    return array


def whole_numbers(value: Any) -> NDArray[Any]:
    """
    Numbers as numpy has them, but those that fit into uint64 alone as such.

    Raises:
        ValueError: If rows have different lengths.
    """
    array = np.asarray(value)
    if hasattr(value, "dtype") or array.dtype != np.float64:
        return array
    # Numpy takes 1 and 2**63 together for floats, which hold neither 2**63 + 1 nor its like.
    exact: NDArray[Any] = np.asarray(value, dtype=np.object_)
    if all(type(item) is int and 0 <= item < 2**64 for item in exact.ravel().tolist()):
        return exact.astype(np.uint64)
    return array


def _numbers(value: Any, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    try:
        source = whole_numbers(value) if datatype == "UINT64" else np.asarray(value)
    except ValueError as error:
        raise InvalidInput("is ragged: its rows have different lengths") from error
    # A float of Python has no width that its owner chose.
    plain = not hasattr(value, "dtype")
    wanted = DATATYPES[datatype]
    if source.dtype.kind in "OSUT" or not (source.dtype.kind in "biuf" or _is_bfloat16(source)):
        raise InvalidInput(f"must be {datatype}, but got {_described(value, source)}")
    if plain and source.size == 0:
        source = source.astype(wanted)
    if datatype == "BF16":
        return _bfloat16(source, plain)
    if _is_bfloat16(source):
        raise InvalidInput(f"must be {datatype}, but got bfloat16")
    # Of the same kind and wide enough; int64 to float64 needs a look at the values.
    if np.can_cast(source.dtype, wanted) and not (wanted.kind == "f" and source.dtype.kind in "iu"):
        return source.astype(wanted)
    if source.dtype.kind in "iu" and wanted.kind in "iuf":
        return _exact(source, wanted, datatype)
    if plain and source.dtype.kind == wanted.kind == "f":
        with np.errstate(over="ignore"):
            array = source.astype(wanted)
        _refuse(source, np.isinf(array) & np.isfinite(source), datatype)
        return array
    remedy = (
        f"; if the loss of precision is fine, convert it: x.astype(numpy.{wanted.name})"
        if source.dtype.kind == wanted.kind == "f"
        else ""
    )
    raise InvalidInput(
        f"must be {datatype} {list(shape)}, but got {_described(value, source)}{remedy}"
    )


def _exact(source: NDArray[Any], wanted: np.dtype[Any], datatype: str) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        array = source.astype(wanted)
        if wanted.kind == "f":
            # A float beyond the integer type has no way back that is defined.
            limit = 2.0 ** (8 * source.dtype.itemsize - (source.dtype.kind == "i"))
            beyond = ~np.isfinite(array) | (array.astype(np.float64) >= limit)
            changed = beyond | (array.astype(source.dtype) != source)
        else:
            changed = (array.astype(source.dtype) != source) | ((array < 0) != (source < 0))
    _refuse(source, changed, datatype)
    return array


def _bfloat16(source: NDArray[Any], plain: bool) -> NDArray[Any]:
    if _is_bfloat16(source):
        return source
    if source.dtype == np.float32 or plain:
        with np.errstate(over="ignore"):
            narrow = source.astype(np.float32)
        _refuse(source, np.isinf(narrow) & np.isfinite(source), "BF16")
        return to_bfloat16(narrow)
    raise InvalidInput(
        f"must be BF16, which takes float32 or ml_dtypes.bfloat16, but got {source.dtype}"
    )


def _is_bfloat16(array: NDArray[Any]) -> bool:
    return array.dtype == BFLOAT16 or array.dtype.name == "bfloat16"


def _refuse(source: NDArray[Any], changed: NDArray[np.bool_], datatype: str) -> None:
    if changed.any():
        index = np.argwhere(changed)[0]
        raise InvalidInput(
            f"must be {datatype}, but the value {source[tuple(index)]} "
            f"at {index.tolist()} does not fit"
        )


def _described(value: Any, source: NDArray[Any]) -> str:
    if source.dtype.kind in "OSUT" and source.ndim == 0:
        return repr(value)
    return f"{source.dtype} {list(source.shape)}"
