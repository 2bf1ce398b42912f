"""Inputs that the server makes itself, about the requests of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import LoadError

__all__ = ["BatchInput", "read_batch_inputs"]

_DATA_TYPES: Mapping[str, type[np.generic]] = {"TYPE_INT32": np.int32, "TYPE_FP32": np.float32}


@dataclass(frozen=True, slots=True)
class BatchInput:
    """
    A `batch_input` of a model configuration.

    Args:
        kind: What it tells, such as BATCH_ELEMENT_COUNT.
        targets: Inputs of the graph that get it.
        source: The input that it tells about.
        dtype: int32 or float32.
    """

    kind: str
    targets: tuple[str, ...]
    source: str
    dtype: type[np.generic]

    def values(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """
        The value for a batch.

        Args:
            arrays: The source input of each request, shape (rows, ...).
        """
        counts = np.array([array.size for array in arrays], dtype=np.int64)
        items = [array.shape[1:] for array in arrays for _ in range(array.shape[0])]
        return np.asarray(_KINDS[self.kind](counts, items), dtype=self.dtype)


def read_batch_inputs(config: Mapping[str, Any]) -> tuple[BatchInput, ...]:
    """
    Read the batch inputs of a model configuration.

    Raises:
        LoadError: If a kind or a data type is unknown.
    """
    return tuple(_read(entry) for entry in config.get("batch_input", []))


def _read(entry: Mapping[str, Any]) -> BatchInput:
    kind, data_type = entry.get("kind", ""), entry.get("data_type", "")
    if kind not in _KINDS:
        raise LoadError(f"unexpected batch input kind '{kind}'")
    if data_type not in _DATA_TYPES:
        raise LoadError(f"unexpected batch input data type '{data_type}'")
    (source,) = entry["source_input"]
    return BatchInput(kind, tuple(entry["target_name"]), source, _DATA_TYPES[data_type])


# Each gets the number of elements of each request, and the shape of each row.
_KINDS: Mapping[str, Any] = {
    "BATCH_ELEMENT_COUNT": lambda counts, items: counts,
    "BATCH_ACCUMULATED_ELEMENT_COUNT": lambda counts, items: np.cumsum(counts),
    "BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO": lambda counts, items: [0, *np.cumsum(counts)],
    "BATCH_MAX_ELEMENT_COUNT_AS_SHAPE": lambda counts, items: np.zeros(counts.max()),
    "BATCH_ITEM_SHAPE": lambda counts, items: items,
    "BATCH_ITEM_SHAPE_FLATTEN": lambda counts, items: np.ravel(items),
}
