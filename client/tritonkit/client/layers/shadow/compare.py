"""Two answers to one request: whether they agree, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.rows import outputs_by_row
from tritonkit.client.layers.shadow.comparator import Comparator, Distances
from tritonkit.client.layers.shadow.elements import AllClose, Exact
from tritonkit.client.types import InferResponse, Tensors

__all__ = ["Comparators", "Compared", "answer_rows", "compare"]

_EXACT, _CLOSE = Exact(), AllClose()


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """
    Two answers, compared.

    Args:
        agrees: Whether each row does, in every output that was compared.
        severity: How far each row is apart: the largest distance, as a part of what is
            tolerated; infinite where types or shapes differ.
        outputs: The distances of each output.
        schema: What is different about the answers as such: a name, a type, a shape.
            Empty where nothing is. No row agrees then.
    """

    agrees: NDArray[np.bool_]
    severity: NDArray[np.float64]
    outputs: Mapping[str, Distances] = field(default_factory=dict)
    schema: str = ""

    @property
    def rows(self) -> int:
        """How many rows were compared."""
        return len(self.agrees)

    @property
    def nan(self) -> int:
        """Rows in which either answer has a NaN."""
        flags = [found.nan for found in self.outputs.values()]
        return int(np.logical_or.reduce(flags).sum()) if flags else 0


@dataclass(frozen=True, slots=True)
class Comparators:
    """
    What compares which output.

    Args:
        every: Compares each output that is compared; None chooses by type: AllClose for
            floats, for it means something whatever the shape, Exact for all others. The
            cosine of a single number is only its sign, and a class may change within any
            cosine: those are for who knows the output.
        outputs: By name; no others are compared then. Empty for all of the primary's.
    """

    every: Comparator | None = None
    outputs: Mapping[str, Comparator] = field(default_factory=dict)

    def of(self, name: str, dtype: np.dtype[Any]) -> Comparator:
        """What compares an output."""
        chosen = self.outputs.get(name, self.every)
        return chosen or (_CLOSE if dtype.kind == "f" else _EXACT)

    @property
    def inline(self) -> bool:
        """Whether all of them are quick enough for an event loop, for small arrays."""
        every = self.every is None or self.every.inline
        return every and all(one.inline for one in self.outputs.values())


def answer_rows(inputs: Tensors, primary: InferResponse) -> int:
    """How many rows an answer has; 0 where it is one of a whole."""
    count = next((len(array) if array.ndim else 0 for array in inputs.values()), 0)
    return count if count and primary.outputs and outputs_by_row(primary, count) else 0


def compare(
    primary: Tensors, shadow: Tensors, comparators: Comparators, *, rows: int = 0
) -> Compared:
    """
    Compare two answers.

    Args:
        primary: What the shadow's should be like.
        shadow: Of the same request.
        comparators: What compares which output.
        rows: Entries along the first axis of every output; 0 where the answer is one whole,
            which is one row then.

    Raises:
        ConfigError: If a comparator cannot compare what an output is.
    """
    schema = _schema(primary, shadow, comparators.outputs or primary)
    count = rows or 1
    if schema:
        return Compared(np.zeros(count, np.bool_), np.full(count, np.inf), schema=schema)
    agrees = np.ones(count, np.bool_)
    severity = np.zeros(count)
    outputs = {}
    for name in comparators.outputs or primary:
        a, b = primary[name], shadow[name]
        comparator = comparators.of(name, a.dtype)
        found = comparator(a, b) if rows else comparator(a[None], b[None])
        outputs[name] = found
        agrees &= found.agrees
        np.maximum(severity, found.distance / (comparator.tolerance or 1.0), out=severity)
    return Compared(agrees, severity, outputs)


def _schema(primary: Tensors, shadow: Tensors, names: Mapping[str, Any]) -> str:
    for name in names:
        for whose, answer in (("primary's", primary), ("shadow's", shadow)):
            if name not in answer:
                return f"the {whose} answer has no output {name!r}, but {sorted(answer)}"
        a, b = primary[name], shadow[name]
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return (
                f"output {name!r} is {b.dtype} {list(b.shape)}, the primary's "
                f"{a.dtype} {list(a.shape)}"
            )
    return ""
