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
