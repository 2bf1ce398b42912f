"""Rows that are looked at, and the classes that they were given."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.rows import outputs_by_row
from tritonkit.client.layers.shadow.copies import size
from tritonkit.client.trace import MODEL
from tritonkit.client.types import InferRequest, InferResponse, Tensors

__all__ = ["Given", "Judged", "Sampled", "even_rows", "sampled"]

_MOST_BYTES = 1 << 20
"""Of a sample; copying more would be felt, and a thousand may wait."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """
    Args:
        model: That was asked.
        id: By which labels come; empty for none.
        places: Of the rows in their request.
        inputs: Of these rows, copied.
        outputs: Likewise; None where the answer is not the model's own.
        computed: Whether the model computed each of them.
        time: Seconds since the epoch.
    """

    model: str
    id: str
    places: Sequence[int]
    inputs: Tensors
    outputs: Tensors | None
    computed: NDArray[np.bool_]
    time: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """
    Args:
        model: That was asked.
        by: "labels" or "agreement".
        right: One for each row; of labels by id, None.
        id: Whose rows are labelled.
        label: The right class.
        row: Its place in the request.
        time: Seconds since the epoch.
    """

    model: str
    by: str
    right: NDArray[np.bool_] | None = None
    id: str = ""
    label: int = 0
    row: int = 0
    time: float


class Given:
    """
    The classes that rows were given, by the id of their request, until labels come.

    Args:
        most: Rows that are remembered; the oldest are forgotten.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._classes: OrderedDict[tuple[str, str, int], int] = OrderedDict()

    def remember(self, model: str, id: str, places: Sequence[int], classes: Sequence[int]) -> None:
        """What rows of a request were given."""
        for place, given in zip(places, classes, strict=True):
            self._classes[model, id, place] = given
        while len(self._classes) > self.most:
            self._classes.popitem(last=False)

    def take(self, model: str, id: str, row: int) -> int | None:
        """The class of a row, which is forgotten then; None where it is not known."""
        return self._classes.pop((model, id, row), None)


def even_rows(request: InferRequest, by_row: bool) -> int:
    """How many rows a request has; 0 where its inputs do not say the same."""
    if not by_row:
        return 1
    count = 0
    for array in request.inputs.values():
        if not array.ndim or (count and len(array) != count):
            return 0
        count = len(array)
    return count


def sampled(
    request: InferRequest,
    response: InferResponse,
    *,
    id: str,
    places: Sequence[int],
    rows: int,
    by_row: bool,
    time: float,
) -> Sampled | None:
    """A copy of some rows and their answers; None where that would be too much."""
    trace = response.trace
    index = np.array(places, dtype=np.intp)
    own = not trace.degraded and (not by_row or outputs_by_row(response, rows))
    computed = np.ones(len(index), dtype=np.bool_)
    if len(trace.origins) == rows:
        computed[:] = [trace.origins[place] == MODEL for place in places]
    elif trace.origins:
        computed[:] = trace.origins[0] == MODEL
    sides: list[Mapping[str, NDArray[Any]]] = [request.inputs, response.outputs if own else {}]
    share = len(index) / rows if by_row else 1.0
    if share * sum(a.nbytes for side in sides for a in side.values()) > _MOST_BYTES:
        return None
    inputs, outputs = (
        {name: array[index] if by_row else array[np.newaxis].copy() for name, array in side.items()}
        for side in sides
    )
    if size(inputs) + size(outputs) > _MOST_BYTES:
        # Texts, which are not copied but would be held.
        return None
    return Sampled(
        model=request.model,
        id=id,
        places=tuple(places),
        inputs=inputs,
        outputs=outputs if own else None,
        computed=computed,
        time=time,
    )
