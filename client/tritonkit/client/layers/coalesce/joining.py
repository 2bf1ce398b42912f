"""Requests as one request, and its answer as theirs: rows in order."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.signature import Signature
from tritonkit.client.trace import UNSEEN, Trace
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.client.wire.datatypes import datatype_of

__all__ = ["join", "joinable_rows", "kind", "split", "unsplittable"]

V = TypeVar("V")


def joinable_rows(request: InferRequest, signature: Signature) -> int:
    """How many rows the request has; 0 where it cannot share a request with others."""
    if (
        not signature.max_batch_size
        or request.in_sequence
        # A kept answer and a computed one come from different places.
        or request.only_kept
    ):
        return 0
    specs = signature.inputs
    rows = -1
    for name, array in request.inputs.items():
        spec = specs.get(name)
        if spec is None or not spec.batched or not array.ndim:
            return 0
        if rows != len(array):
            if rows != -1:
                return 0
            rows = len(array)
    return max(rows, 0)


def kind(request: InferRequest, apart: Collection[str] | None = None) -> Hashable:
    """
    What requests have in common that may be joined: all but rows, id and deadline.

    Args:
        request: Any.
        apart: Names of the tags that count; None for all.
    """
    parameters, tags = request.parameters, request.tags
    return (
        request.model,
        request.version,
        request.scope,
        # A layer below sheds by it, and charges by tags.
        request.priority,
        frozenset((name, tag) for name, tag in tags.items() if apart is None or name in apart)
        if tags
        else None,
        request.outputs,
        # 1, 1.0 and True are equal, and three values to a model.
        frozenset((name, type(value), repr(value)) for name, value in parameters.items())
        if parameters
        else None,
        frozenset((name, _type(array), array.shape[1:]) for name, array in request.inputs.items()),
    )


def join(requests: Sequence[InferRequest]) -> InferRequest:
    """
    One request with the rows of all, in order, and the tags that all have.

    Its deadline is the latest of theirs.

    Args:
        requests: Of one `kind`, two or more.
    """
    first = requests[0]
    tags = first.tags
    if any(request.tags != tags for request in requests):
        others = requests[1:]
        tags = {
            name: tag
            for name, tag in tags.items()
            if all(other.tags.get(name) == tag for other in others)
        }
    deadlines = [request.deadline for request in requests if request.deadline is not None]
    return replace(
        first,
        inputs={
            name: np.concatenate([_plain(request.inputs[name]) for request in requests])
            for name in first.inputs
        },
        id="",
        tags=tags,
        deadline=max(deadlines) if len(deadlines) == len(requests) else None,
    )


def unsplittable(answer: InferResponse, rows: int) -> str:
    """Why *answer* does not have an answer for each of *rows*; empty where it does."""
    for name, array in answer.outputs.items():
        if not array.ndim or len(array) != rows:
            return f"output {name!r} has shape {list(array.shape)} for {rows} rows"
    return ""


def split(answer: InferResponse, start: int, stop: int, id: str) -> InferResponse:
    """
    The answer to rows *start* to *stop* of a joined request; its arrays are views.

    Args:
        answer: To the joined request.
        start: First row.
        stop: The row after the last.
        id: Of the request that sent these rows.
    """
    trace = answer.trace
    if trace is not UNSEEN:
        rows = len(next(iter(answer.outputs.values()), ()))
        trace = Trace(
            origins=_rows(trace.origins, rows, start, stop),
            ages=_rows(trace.ages, rows, start, stop),
            tiers=_rows(trace.tiers, rows, start, stop),
            degraded=trace.degraded,
            attempts=trace.attempts,
            # Each pays for its rows, and all of them together for all of it.
            cost=trace.cost * stop // rows - trace.cost * start // rows if rows else trace.cost,
        )
    return InferResponse(
        model=answer.model,
        version=answer.version,
        parameters=answer.parameters,
        outputs={name: array[start:stop] for name, array in answer.outputs.items()},
        id=id,
        trace=trace,
    )


def _rows(values: tuple[V, ...], rows: int, start: int, stop: int) -> tuple[V, ...]:
    # One for the whole answer holds for each part of it.
    return values[start:stop] if len(values) == rows else values


def _type(array: NDArray[Any]) -> Hashable:
    return "BYTES" if datatype_of(array.dtype) == "BYTES" else array.dtype


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Text of a numpy type as objects: numpy would join bytes with text as text."""
    return array.astype(np.object_) if array.dtype.kind in "SUT" else array
