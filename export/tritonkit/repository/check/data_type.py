"""Data types of a configuration's tensors, by their number in it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from math import prod

from tritonclient.grpc import model_config_pb2

__all__ = ["data_type_name", "row_bytes", "wire_name"]

_BYTES = {
    "TYPE_BOOL": 1,
    "TYPE_UINT8": 1,
    "TYPE_UINT16": 2,
    "TYPE_UINT32": 4,
    "TYPE_UINT64": 8,
    "TYPE_INT8": 1,
    "TYPE_INT16": 2,
    "TYPE_INT32": 4,
    "TYPE_INT64": 8,
    "TYPE_FP16": 2,
    "TYPE_FP32": 4,
    "TYPE_FP64": 8,
    "TYPE_BF16": 2,
}


@cache
def data_type_name(number: int) -> str:
    """The TYPE_ name of a data type; its number where it is none that is known."""
    known = model_config_pb2.DataType.DESCRIPTOR.values_by_number.get(number)
    return known.name if known else str(number)


def wire_name(number: int) -> str:
    """As Triton's errors and protocol have it, such as "FP32", and "BYTES" for strings."""
    name = data_type_name(number)
    if not name.startswith("TYPE_") or name == "TYPE_INVALID":
        return "<invalid>"
    return "BYTES" if name == "TYPE_STRING" else name.removeprefix("TYPE_")


def row_bytes(number: int, dims: Iterable[int]) -> int:
    """Size in bytes of *dims* elements; 0 for strings, whose size their content decides."""
    return _BYTES.get(data_type_name(number), 0) * prod(dims)
