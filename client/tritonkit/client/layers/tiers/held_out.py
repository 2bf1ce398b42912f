"""How good a learned rule is on rows that it was not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.tiers.learned_rule import LearnedRule
from tritonkit.client.types import InferRequest, Tensors

__all__ = ["HeldOut", "held_out"]

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class HeldOut:
    """
    What rules said of rows that they had not seen.

    Args:
        rows: How many there are.
        dear: Those that are dear.
        sent: Those that were said to be.
        caught: Those that are dear and were said to be.
    """

    rows: int
    dear: int
    sent: int
    caught: int


def held_out(
    inputs: Tensors, dear: Sequence[bool], *, threshold: str | float = 0.5
) -> HeldOut | None:
    """
    Learn five times from four fifths, and ask about the last; None where that is too little.

    Args:
        inputs: As `LearnedRule.fit` takes them.
        dear: Likewise.
        threshold: Likewise.
    """
    y = np.asarray(dear, dtype=np.bool_)
    # Dealt out in turns, each kind by itself: every part has as many of both.
    fold = np.empty(len(y), dtype=np.intp)
    for kind in (True, False):
        fold[y == kind] = np.arange(int((y == kind).sum())) % _FOLDS
    verdicts = np.zeros(len(y), dtype=np.bool_)
    for part in range(_FOLDS):
        unseen = fold == part
        if min(int((y & ~unseen).sum()), int((~y & ~unseen).sum())) < LearnedRule.fewest:
            return None
        rule = LearnedRule.fit(_of(inputs, ~unseen), y[~unseen].tolist(), threshold=threshold)
        verdicts[unseen] = rule(InferRequest(model="", inputs=_of(inputs, unseen)))
    return HeldOut(len(y), int(y.sum()), int(verdicts.sum()), int((verdicts & y).sum()))


def _of(inputs: Tensors, rows: NDArray[np.bool_]) -> Tensors:
    return {name: array[rows] for name, array in inputs.items()}
