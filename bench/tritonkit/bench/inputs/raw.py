"""Tensors as bytes, and perf_analyzer's folder with a file of them for each input."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.inputs.entry import Encoded, Entry
from tritonkit.bench.inputs.values import text_lines
from tritonkit.client import Signature
from tritonkit.client.wire.datatypes import DATATYPES, to_bfloat16
from tritonkit.client.wire.tensors import decode_tensor
from tritonkit.errors import ConfigError, InvalidInput, ProtocolError

__all__ = ["RawTensor", "fitted", "read_folder"]

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class RawTensor(Encoded):
    """
    Elements in row-major order, little-endian; a text has its length before it, in four bytes.

    Args:
        data: The bytes.
        shape: Their shape; None for that of the model.
    """

    data: bytes
    shape: tuple[int, ...] | None = None

    def array(self, datatype: str, dims: Sequence[int]) -> NDArray[Any]:
        """The tensor of one row."""
        count = _count(self.data, datatype)
        shape = fitted(count, self.shape, datatype, dims)
        try:
            array = decode_tensor(memoryview(self.data), datatype, shape)
        except ProtocolError as error:
            raise InvalidInput(f"cannot be read: {error}") from error
        return to_bfloat16(array) if datatype == "BF16" else array


@dataclass(frozen=True, slots=True)
class _Lines(Encoded):
    """A text a line."""

    texts: tuple[str, ...]

    def array(self, datatype: str, dims: Sequence[int]) -> NDArray[Any]:
        array = np.array(self.texts, dtype=np.object_)
        return array.reshape(fitted(len(self.texts), None, datatype, dims))


def fitted(
    count: int, shape: Sequence[int] | None, datatype: str, dims: Sequence[int]
) -> tuple[int, ...]:
    """
    The shape of *count* elements in row-major order.

    Args:
        count: How many elements there are.
        shape: The one that is given with them; None for *dims*.
        datatype: Of the tensor, for errors.
        dims: The shape wanted, without the batch dimension; one -1 follows from *count*.

    Raises:
        InvalidInput: If they do not fit; the message lacks its subject.
    """
    if shape is not None:
        if len(shape) != len(dims) or any(
            dim not in (-1, size) for dim, size in zip(dims, shape, strict=True)
        ):
            raise InvalidInput(
                f"must have shape {list(dims)} ({datatype}, without the batch dimension), "
                f"but its shape is given as {list(shape)}"
            )
        dims = shape
    known = math.prod(dim for dim in dims if dim >= 0)
    unknown = sum(dim < 0 for dim in dims)
    if unknown > 1:
        raise InvalidInput(
            f"has {unknown} dynamic dimensions in {list(dims)}: give its shape in the file "
            "or with --shape"
        )
    if unknown == 1 and known and count % known == 0:
        return tuple(count // known if dim < 0 else dim for dim in dims)
    if unknown or known != count:
        raise InvalidInput(
            f"must have {known} elements{' or a multiple' if unknown else ''} "
            f"for shape {list(dims)} ({datatype}), but got {count}"
        )
    return tuple(dims)


def read_folder(folder: Path, signature: Signature) -> tuple[Entry, ...]:
    """
    Read perf_analyzer's folder: one row, with a file named as each input.

    A file holds the tensor's bytes, of a text input one text a line. Files named as
    outputs hold what is expected of the answer.

    Raises:
        ConfigError: If a file is named as no tensor, or cannot be read.
    """
    inputs: dict[str, Encoded] = {}
    expected: dict[str, Encoded] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        name = path.name
        spec = signature.inputs.get(name) or signature.outputs.get(name)
        if spec is None:
            raise ConfigError(
                f"{path} must be named as an input or an output of model {signature.model!r}: "
                f"{', '.join([*signature.inputs, *signature.outputs])}."
            )
        try:
            value = (
                _Lines(tuple(text_lines(path)))
                if spec.datatype == "BYTES"
                else RawTensor(path.read_bytes())
            )
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        # An input and an output of one name share its file, as with perf_analyzer.
        if name in signature.inputs:
            inputs[name] = value
        if name in signature.outputs:
            expected[name] = value
    if not inputs:
        raise ConfigError(
            f"{folder} must have a file for each input of model {signature.model!r}: "
            f"{', '.join(signature.inputs)}."
        )
    return (Entry(place=str(folder), inputs=inputs, expected=expected),)


def _count(data: bytes, datatype: str) -> int:
    if datatype != "BYTES":
        size = 2 if datatype == "BF16" else DATATYPES[datatype].itemsize
        if len(data) % size:
            raise InvalidInput(
                f"must be whole elements of {size} bytes ({datatype}), but got {len(data)} bytes"
            )
        return len(data) // size
    count = offset = 0
    while offset + _LENGTH.size <= len(data):
        offset += _LENGTH.size + _LENGTH.unpack_from(data, offset)[0]
        count += 1
    if offset != len(data):
        raise InvalidInput(
            f"must be texts with their length in four bytes before each, but its "
            f"{len(data)} bytes end within text {count}"
        )
    return count
