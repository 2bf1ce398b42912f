"""Requests and answers, a row at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.types import InferRequest, InferResponse, Tensors

__all__ = ["count_rows", "join_rows", "own", "own_request", "split_rows", "take_rows"]

# What Triton says of every answer of an ensemble: nothing.
_NO_SEQUENCE = {"sequence_id": 0, "sequence_start": False, "sequence_end": False}


def count_rows(request: InferRequest) -> int:
    """
    How many rows the request has, as far as it tells by itself; 1 where it has none.

    Where its inputs differ, as they may where the model does not batch, the longest counts.
    """
    inputs = request.inputs.values()
    return max((len(array) for array in inputs if array.ndim), default=1)


def take_rows(request: InferRequest, rows: Sequence[int], count: int) -> InferRequest:
    """
    The request for some of its rows, in memory of its own.

    A call may outlive the one who began it, whose arrays are free to change then.

    Args:
        request: Has *count* rows in every input.
        rows: Which of them, in this order.
        count: How many there are.
    """
    if len(rows) == count and list(rows) == list(range(count)):
        return own_request(request)
    index = np.fromiter(rows, dtype=np.intp, count=len(rows))
    return request.but(inputs={name: a[index] for name, a in request.inputs.items()})


def own_request(request: InferRequest) -> InferRequest:
    """The same request, whose arrays nobody else has."""
    return request.but(inputs={name: a.copy() for name, a in request.inputs.items()})


def split_rows(response: InferResponse, count: int) -> list[Tensors] | None:
    """
    The outputs of each row, in memory of their own; None if the answer is not one of rows.

    Args:
        response: To a request of *count* rows.
        count: How many rows every output must have.
    """
    if not outputs_by_row(response, count):
        return None
    if count == 1:
        return [MappingProxyType({name: own(array) for name, array in response.outputs.items()})]
    columns = [
        (name, [own(array[row : row + 1]) for row in range(count)])
        for name, array in response.outputs.items()
    ]
    return [
        MappingProxyType({name: column[row] for name, column in columns}) for row in range(count)
    ]


def outputs_by_row(response: InferResponse, count: int) -> bool:
    """Whether every output has one entry a row, and nothing is said about them all at once."""
    for name, value in response.parameters.items():
        if _NO_SEQUENCE.get(name) != value:
            return False
    return all(array.ndim and len(array) == count for array in response.outputs.values())


def join_rows(rows: Sequence[Tensors], outputs: Sequence[str] | None) -> Mapping[str, NDArray[Any]]:
    """
    The outputs of many rows, as one answer; read-only.

    Args:
        rows: Outputs of each row; types and shapes are the same in all.
        outputs: Names wanted; None, or none, for all. They come in the order of the rows,
            which is the server's, as they do from the server.
    """
    first = rows[0]
    # As the protocol has it: who names no output gets all of them.
    names = [name for name in first if name in outputs] if outputs else list(first)
    if len(rows) == 1:
        return first if len(names) == len(first) else {name: first[name] for name in names}
    joined = {}
    for name in names:
        array = np.concatenate([row[name] for row in rows])
        array.flags.writeable = False
        joined[name] = array
    return joined


def own(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only copy, so that a part never keeps the whole alive, nor changes with it."""
    copy = array.copy()
    copy.flags.writeable = False
    return copy
