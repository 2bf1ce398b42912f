"""Triton's data types and numpy's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BFLOAT16",
    "DATATYPES",
    "datatype_of",
    "from_bfloat16",
    "to_bfloat16",
]

DATATYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BF16": np.dtype("<f4"),
    "BYTES": np.dtype(np.object_),
}
"""The numpy type in which a tensor of each Triton type is handed to the user."""

BFLOAT16: np.dtype[Any] = np.dtype([("bfloat16", "<u2")])
"""
What marks an array as BF16: numpy has no such type, so a record of its bits.
Arrays of ml_dtypes.bfloat16 are understood as well.
"""

_BY_DTYPE = {dtype: name for name, dtype in DATATYPES.items() if name != "BF16"}


def datatype_of(dtype: np.dtype[Any]) -> str | None:
    """Triton's name of a numpy type; text and bytes are BYTES; None where Triton has no such."""
    name = _BY_DTYPE.get(dtype)
    if name is not None:
        return name
    if dtype == BFLOAT16 or dtype.name == "bfloat16":
        return "BF16"
    if dtype.kind in "SUT":
        return "BYTES"
    return _BY_DTYPE.get(dtype.newbyteorder("<"))


def to_bfloat16(values: NDArray[np.float32]) -> NDArray[Any]:
    """
    Round float32 to bfloat16, ties to even, as ml_dtypes does.

    Returns:
        An array of BFLOAT16 of the same shape. NaN keeps its sign and becomes
        quiet; what is beyond the largest bfloat16 becomes infinite.
    """
    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
    rounded = (bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) >> 16
    nan = np.isnan(values)
    if nan.any():
        rounded = np.where(nan, ((bits >> 16) & 0x8000) | 0x7FC0, rounded)
    result: NDArray[Any] = rounded.astype("<u2").reshape(np.shape(values)).view(BFLOAT16)
    return result


def from_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Widen the bits of bfloat16 to float32; exact."""
    widened: NDArray[np.float32] = (bits.astype("<u4") << np.uint32(16)).view("<f4")
    return widened
