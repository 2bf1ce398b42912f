"""How large the rows of a request are: texts, tokens and elements."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.types import InferRequest
from tritonkit.client.wire.datatypes import datatype_of

__all__ = ["elements", "estimated_tokens", "texts", "tokens"]

T = TypeVar("T")

MASK, IDS = "attention_mask", "input_ids"
"""What Hugging Face calls them, and every export after it."""

_LETTERS = 6
"""Of a word, for each of its tokens: on English prose within 1 % of BERT's tokenizer."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_PIECES = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|[^\w\s]")


def texts(request: InferRequest, name: str | None = None) -> list[list[str]] | None:
    """
    The texts of each row, of one input or of all; None where there is none.

    Where a model does not batch, its inputs may differ in length: a row that one
    lacks has those of the others.
    """
    found: list[list[str]] = []
    for key, array in request.inputs.items():
        if name in (None, key) and datatype_of(array.dtype) == "BYTES" and array.ndim:
            found = _joined(found, [_texts(row) for row in array])
    return found or None


def tokens(
    request: InferRequest,
    count: Callable[[str], int],
    *,
    name: str | None = None,
    pad: int = 0,
) -> list[int] | None:
    """
    The number of tokens of each row; None where nothing tells.

    By an attention mask if there is one, else those of the texts, else the ids
    that are not padding.

    Args:
        request: Rows first in each input.
        count: Tokens of a text.
        name: The input to read, whatever it is called; "attention_mask", every text, or
            "input_ids" by default.
        pad: The id that fills rows up.
    """
    chosen = MASK if name is None else name
    mask = request.inputs.get(chosen)
    if mask is not None and mask.ndim and mask.dtype.kind in "iub":
        return _others(mask, 0 if chosen == MASK else pad)
    rows = texts(request, name)
    if rows is not None:
        return [sum(map(count, row)) for row in rows]
    ids = request.inputs.get(IDS) if name is None else None
    if ids is not None and ids.ndim and ids.dtype.kind in "iu":
        return _others(ids, pad)
    return None


def elements(request: InferRequest, name: str | None = None) -> list[int] | None:
    """The number of values of each row, all inputs together or of one; None where it has none."""
    found: list[int] = []
    for key, array in request.inputs.items():
        if name in (None, key) and array.ndim and len(array):
            size = array.size // len(array)
            found = [a + b for a, b in zip_longest(found, [size] * len(array), fillvalue=0)]
    return found or None


def estimated_tokens(text: str) -> int:
    """About as many tokens as a word-piece tokenizer of the text's language makes of it."""
    return sum(math.ceil(len(piece) / _LETTERS) for piece in _PIECES.findall(text))


def _others(array: NDArray[Any], value: int) -> list[int]:
    """How many values of each row are not *value*."""
    # One dimension alone is the only row of a model that does not batch.
    rows = array[None] if array.ndim == 1 else array
    return [int(np.count_nonzero(row != value)) for row in rows]


def _joined(one: Sequence[list[T]], other: Sequence[list[T]]) -> list[list[T]]:
    nothing: list[T] = []
    return [[*a, *b] for a, b in zip_longest(one, other, fillvalue=nothing)]


def _texts(row: Any) -> list[str]:
    values: NDArray[Any] = np.asarray(row, dtype=np.object_).ravel()
    return [
        value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        for value in values
    ]
