"""What is put into a store in tests, and how it must come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.stores.store import Entry
from tritonkit.client.wire.datatypes import DATATYPES

__all__ = ["assert_same", "sample_array"]

_TEXTS = (b"", b"text", b"\x00\xff\x00", "ü".encode(), b"x" * 5000)


def sample_array(datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """An array of Triton's *datatype*, read-only and the owner of its memory."""
    size = int(np.prod(shape))
    array: NDArray[Any]
    if datatype == "BYTES":
        flat = np.empty(size, dtype=np.object_)
        flat[:] = [_TEXTS[number % len(_TEXTS)] for number in range(size)]
        array = flat.reshape(shape).copy()
    else:
        array = np.empty(shape, dtype=DATATYPES[datatype])
        # Numbers that every type has.
        array[...] = (np.arange(size) % 2 * 100).reshape(shape)
    array.flags.writeable = False
    return array


def assert_same(expected: Entry, actual: Entry) -> None:
    """Names, types, shapes, every bit, and the types of parameters; arrays are read-only."""
    assert set(expected.outputs) == set(actual.outputs)
    for name, array in expected.outputs.items():
        other = actual.outputs[name]
        assert array.dtype == other.dtype
        assert array.shape == other.shape
        assert not other.flags.writeable
        assert _content(array) == _content(other)
    assert _typed(expected) == _typed(actual)


def _content(array: NDArray[Any]) -> bytes | list[Any]:
    return array.ravel().tolist() if array.dtype.kind == "O" else array.tobytes()


def _typed(entry: Entry) -> dict[str, tuple[type, object]]:
    return {name: (type(value), value) for name, value in entry.parameters.items()}
