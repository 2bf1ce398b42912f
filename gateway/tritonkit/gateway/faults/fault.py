"""A fault that can be made on purpose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tritonkit.errors import ConfigError

__all__ = ["MAX_DELAY", "Fault", "Kind", "check_value"]

Kind: TypeAlias = Literal["slow", "fail", "down", "redis"]
"""
Answers come later; a share of requests fails; a server takes no connections; Redis cannot be
reached.
"""

MAX_DELAY = 60.0
"""Seconds by which answers may come later."""

_USUAL = {"slow": 0.5, "fail": 0.5}


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
        """The value where none is given: seconds, or a share; None for what has none."""
        return _USUAL.get(self.kind)

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
    if fault.usual is None:
        if value is not None:
            raise ConfigError(f"{fault.name} has no value, but got {value!r}.")
        return None
    if value is None:
        return fault.usual
    most = MAX_DELAY if fault.kind == "slow" else 1.0
    what = "seconds" if fault.kind == "slow" else "a share"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"value of {fault.name} must be {what}, but got {value!r}.")
    if not 0 <= value <= most:
        raise ConfigError(f"value of {fault.name} must be 0 to {most:g}, but got {value!r}.")
    return float(value)
