"""What calls are told apart by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from tritonkit.client.layers.telemetry.names import OTHER
from tritonkit.client.trace import MODEL, Trace
from tritonkit.client.types import InferRequest
from tritonkit.errors import TritonkitError

__all__ = ["MIXED", "Labels", "arms_label", "error_kind", "labels_of"]

MIXED = "mixed"
"""Of an answer whose rows took several ways."""

CANCELLED = "Cancelled"
"""The kind of a call whose caller left."""


class Labels(NamedTuple):
    """
    What answers are told apart by.

    Args:
        model: That was asked.
        tier: Name of the route that answered; empty where there was no choice, "mixed"
            where rows took different ones.
        arm: "experiment:arm", several of them joined by commas; empty outside of any.
        cache: Where its rows came from: a store's name, "coalesced", "stale", "model", or "mixed".
    """

    model: str
    tier: str
    arm: str
    cache: str


def labels_of(request: InferRequest, trace: Trace) -> Labels:
    """What an answer is told apart by."""
    arms = arms_label(trace.arms)
    return Labels(request.model, _one(trace.tiers, ""), arms, _one(trace.origins, MODEL))


def arms_label(arms: Iterable[tuple[str, str]]) -> str:
    """Experiments and their arms in one label."""
    return ",".join([f"{experiment}:{arm}" for experiment, arm in arms])


def error_kind(error: BaseException) -> str:
    """The name of the class in `tritonkit.errors` that it is of, or "Cancelled", or "other"."""
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return CANCELLED
    for kind in type(error).__mro__:
        if kind.__module__ == TritonkitError.__module__:
            return kind.__name__
    return OTHER


def _one(names: tuple[str, ...], none: str) -> str:
    found = [name for name, _ in groupby(names)]
    if not found:
        return none
    return found[0] if len(found) == 1 else MIXED
