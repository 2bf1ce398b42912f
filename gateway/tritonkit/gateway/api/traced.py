"""Where an answer came from, as callers are told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from tritonkit.client.trace import MODEL, Trace

__all__ = ["HEADER", "as_header", "merged", "origins_of", "plain", "tier_of"]

HEADER = "X-Tritonkit-Trace"

_FEW = 32
"""Rows of an answer whose header is remembered."""

_MOST = 200
"""Characters of a reason in a header."""


def plain(trace: Trace, rows: int) -> dict[str, Any]:
    """
    A trace as values of JSON.

    Args:
        trace: Of an answer, or merged of several.
        rows: That were asked for; all of them are the model's where no cache looked.
    """
    found: dict[str, Any] = {
        "tier": tier_of(trace),
        "origins": dict(origins_of(trace, rows)),
        "attempts": trace.attempts,
        "cost": trace.cost,
        "degraded": trace.degraded,
    }
    if trace.answer:
        found["answer"] = trace.answer
    if trace.arms:
        found["arms"] = dict(trace.arms)
    return found


def as_header(trace: Trace, rows: int) -> str:
    """The same in one line of ASCII, for the header `X-Tritonkit-Trace`."""
    if trace.answer or len(trace.origins) > _FEW:
        return _header(trace, rows)
    # Most answers come from the same places, and their ages are not told.
    return _kept(
        trace.origins, trace.tiers, trace.degraded, trace.attempts, trace.cost, trace.arms, rows
    )


@lru_cache(maxsize=1024)
def _kept(
    origins: tuple[str, ...],
    tiers: tuple[str, ...],
    degraded: str,
    attempts: int,
    cost: int,
    arms: tuple[tuple[str, str], ...],
    rows: int,
) -> str:
    trace = Trace(
        origins=origins, tiers=tiers, degraded=degraded, attempts=attempts, cost=cost, arms=arms
    )
    return _header(trace, rows)


def _header(trace: Trace, rows: int) -> str:
    found = plain(trace, rows)
    found["degraded"] = found["degraded"][:_MOST]
    return json.dumps(found, separators=(",", ":"))


def origins_of(trace: Trace, rows: int) -> Mapping[str, int]:
    """Rows by where they came from."""
    if not trace.origins:
        return {MODEL: rows} if rows else {}
    if len(trace.origins) == 1 and rows > 1:
        # Kept whole.
        return {trace.origins[0]: rows}
    return Counter(trace.origins)


def tier_of(trace: Trace) -> str:
    """The route that answered, or several joined by commas; empty where there was no choice."""
    return ",".join(dict.fromkeys(trace.tiers))


def merged(parts: Iterable[tuple[Trace, int]]) -> Trace:
    """
    The trace of an answer that several requests made.

    Args:
        parts: Of each of them its trace and its rows.
    """
    found = list(parts)
    if len(found) == 1:
        return found[0][0]
    origins: list[str] = []
    ages: list[float] = []
    tiers: list[str] = []
    for trace, rows in found:
        own = trace.origins or (MODEL,)
        origins += own if len(own) == rows else own[:1] * rows
        ages += trace.ages
        tiers += trace.tiers
    return Trace(
        origins=tuple(origins),
        ages=tuple(ages) if len(ages) == len(origins) else (),
        tiers=tuple(tiers),
        degraded="; ".join(dict.fromkeys(t.degraded for t, _ in found if t.degraded)),
        attempts=sum(trace.attempts for trace, _ in found),
        cost=sum(trace.cost for trace, _ in found),
        answer=next((trace.answer for trace, _ in found if trace.answer), ""),
        arms=tuple(dict.fromkeys(arm for trace, _ in found for arm in trace.arms)),
    )
