"""A fault that can be made on purpose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tritonkit.errors import ConfigError

__all__ = ["MAX_DELAY", "Fault", "Kind", "check_value"]

Kind: TypeAlias = Literal["slow", "fail", "down", "redis", "rate", "skew", "burst"]
"""
Answers come later; a share of requests fails; a server takes no connections; Redis cannot be
reached. And what a traffic generator makes of it, which reads it from the page's document:
so many requests a second, so much skew, a burst.
"""

MAX_DELAY = 60.0
"""Seconds by which answers may come later."""

_VALUES = {
    "slow": (2.0, MAX_DELAY, "seconds"),
    "fail": (0.5, 1.0, "a share"),
    "rate": (20.0, 10_000.0, "requests a second"),
    "skew": (1.0, 5.0, "an exponent"),
}
"""By kind: the usual value, the most, and what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One that the page offers.

    Args:
        name: Tells it from others.
        label: For people.
        kind: What happens.
        model: Whose requests; empty for any.
        endpoint: The server that they go to; empty for any.
    """

    name: str
    label: str
    kind: Kind
    model: str = ""
    endpoint: str = ""

    @property
    def usual(self) -> float | None:
        """The value where none is given, such as seconds or a share; None for what has none."""
        return _VALUES[self.kind][0] if self.kind in _VALUES else None

    def said(self, value: float | None) -> str:
        """What it is with this value, for people; without one for a kind that has none."""
        if value is None:
            return self.label
        if self.kind == "slow":
            much = f"{value:g} s" if value >= 1 else f"{1000 * value:g} ms"
        elif self.kind == "fail":
            much = f"{100 * value:g} %"
        else:
            much = f"{value:g}"
        return f"{self.label}, {much}"

    def meets(self, model: str, endpoint: str) -> bool:
        """Whether a request to *model* at *endpoint* meets it."""
        return self.model in ("", model) and self.endpoint in ("", endpoint)


def check_value(fault: Fault, value: object) -> float | None:
    """
    The value of a fault that is switched on.

    Args:
        fault: Which one.
        value: As it came; None for the usual one.

    Raises:
        ConfigError: If it is none.
    """
    if fault.kind not in _VALUES:
        if value is not None:
            raise ConfigError(f"{fault.name} has no value, but got {value!r}.")
        return None
    usual, most, what = _VALUES[fault.kind]
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"value of {fault.name} must be {what}, but got {value!r}.")
    if not 0 <= value <= most:
        raise ConfigError(f"value of {fault.name} must be 0 to {most:g}, but got {value!r}.")
    return float(value)
