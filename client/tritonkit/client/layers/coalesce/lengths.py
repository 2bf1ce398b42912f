"""Calls with text, put together by its length: short ones need not be padded to a long one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from tritonkit.client.types import InferRequest
from tritonkit.client.wire.datatypes import datatype_of

__all__ = ["parts_by_length", "text_length"]


def text_length(request: InferRequest) -> int:
    """Length of the request's longest text, in characters or bytes; 0 without text."""
    texts = (
        array.ravel().tolist()
        for array in request.inputs.values()
        if datatype_of(array.dtype) == "BYTES"
    )
    # What is no text is for the transport to refuse.
    return max((len(text) for text in chain(*texts) if hasattr(text, "__len__")), default=0)


def parts_by_length(lengths: Sequence[int], rows: Sequence[int], part_rows: int) -> list[list[int]]:
    """
    Calls in parts of similar length, the shortest first.

    Args:
        lengths: Of each call's longest text.
        rows: Of each call.
        part_rows: Rows of a part at most, unless one call has more.

    Returns:
        Positions of the calls; each is in one part. One part where all lengths
        are the same.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    if not order or lengths[order[0]] == lengths[order[-1]]:
        return [list(range(len(lengths)))]
    parts: list[list[int]] = [[]]
    filled = 0
    for position in order:
        if parts[-1] and filled + rows[position] > part_rows:
            parts.append([])
            filled = 0
        parts[-1].append(position)
        filled += rows[position]
    return parts
