"""One request that went through the gateway, as page, log and metrics see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Observe", "Passed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """
    What became of a request.

    Args:
        at: When it was answered, in seconds since 1970.
        seconds: From its last byte to the answer's first.
        route: "infer", "embed", "similarity", "search", "jobs", "forwarded" where it
            went to a Triton as it came, or "api" where nobody known asked any of the others.
        model: That was asked for.
        version: That was asked for; empty where the server chose.
        tenant: Name of who asked; empty where nobody has one.
        id: Of the request.
        rows: In its first input; 0 where nobody looked.
        status: Of the HTTP answer.
        error: Name of the error's class; empty where it was answered.
        origins: Rows by where they came from: "memory", "redis", "model" and so on.
        tier: Route of the tiers that answered; empty where there was no choice.
        arms: Experiments and the arms that the request took part in.
        attempts: Requests that were sent to servers for it.
        cost: In millionths.
        degraded: Why the answer is less than what was asked for; empty where it is not.
    """

    at: float
    seconds: float
    route: str
    model: str = ""
    version: str = ""
    tenant: str = ""
    id: str = ""
    rows: int = 0
    status: int = 200
    error: str = ""
    origins: Mapping[str, int] = field(default_factory=dict)
    tier: str = ""
    arms: tuple[tuple[str, str], ...] = ()
    attempts: int = 0
    cost: int = 0
    degraded: str = ""


Observe: TypeAlias = Callable[[Passed], None]
"""Whoever wants to know of every request; quick, and raises nothing."""
