"""An interval with its estimate, and what may be asked of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, nan

from tritonkit.errors import ConfigError

__all__ = ["Interval", "check_alpha", "edge"]

_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Interval:
    """
    What a quantity may be, in the unit of the quantity.

    Args:
        low: Its lower end; -inf where nothing is known below.
        high: Its upper end; inf where nothing is known above.
        estimate: The best guess, NaN before the first observation.
    """

    low: float
    high: float
    estimate: float

    @classmethod
    def unknown(cls, estimate: float = nan) -> Interval:
        """Everything is possible."""
        return cls(-inf, inf, estimate)

    @property
    def width(self) -> float:
        """From end to end; inf where one of them is open."""
        return self.high - self.low

    @property
    def bounded(self) -> bool:
        """Whether both ends are finite."""
        return isfinite(self.low) and isfinite(self.high)

    def excludes(self, value: float = 0.0) -> bool:
        """Whether *value* is outside: the sequence has decided against it."""
        return not self.low <= value <= self.high

    def shifted(self, by: float) -> Interval:
        """The same interval of the quantity plus *by*."""
        return Interval(self.low + by, self.high + by, self.estimate + by)


def check_alpha(alpha: float) -> float:
    """
    The error rate, if it is one.

    Raises:
        ConfigError: If it is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha must be between 0 and 1, but got {alpha=}.")
    return alpha


def edge(refused: Callable[[float], bool], outside: float, inside: float) -> float:
    """
    Where *refused* begins on the way from inside to outside.

    Args:
        refused: False at *inside*, and true from some point on.
        outside: Returned where even it is not refused.
        inside: Where the way begins.

    Returns:
        The outer end of the last of 60 halvings, so that an interval is never too short.
    """
    if not refused(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        if refused(middle):
            outside = middle
        else:
            inside = middle
    return outside
