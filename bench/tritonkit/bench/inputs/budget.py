"""How much of a load is made in advance."""

from __future__ import annotations

from collections.abc import Iterable

from tritonkit.bench.inputs.workload import Item
from tritonkit.client import Tensors

__all__ = ["MAX_BYTES", "MAX_DISTINCT", "MAX_REQUEST", "tensors_bytes", "within"]

MAX_BYTES = 256 * 10**6
"""Of all requests made in advance; of large inputs there are fewer."""

MAX_DISTINCT = 1_000_000
"""Requests made in advance: of the smallest, each takes some kilobytes all the same."""

MAX_REQUEST = 2**31
"""Bytes of one input; a server takes none that is larger."""


def tensors_bytes(inputs: Tensors) -> int:
    """About as many bytes as the arrays take on the wire."""
    return sum(
        sum(len(text) for text in array.flat) if array.dtype == object else array.nbytes
        for array in inputs.values()
    )


def within(items: Iterable[Item], max_bytes: int) -> list[Item]:
    """The first items that fit into *max_bytes* together, one at least."""
    kept: list[Item] = []
    total = 0
    for item in items:
        total += tensors_bytes(item.inputs)
        if kept and total > max_bytes:
            break
        kept.append(item)
    return kept
