"""What all processes are told about an experiment while it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tritonkit.errors import ConfigError

__all__ = ["Control", "State"]

State: TypeAlias = Literal["running", "stopped", "promoted"]
"""Whether units are assigned, or all of them get one arm: the control, or the promoted one."""

_STATES = ("running", "stopped", "promoted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """
    What takes precedence over what a Split was constructed with.

    Args:
        state: "running"; "stopped", when the control arm answers everybody; or
            "promoted", when *arm* does. Nobody is exposed unless it is running.
        reason: Why it was set so, for a person.
        arm: The promoted one; empty otherwise.
        share: Of all units that are exposed; None leaves it to the Split.
        weights: By arm; None leaves them to the Split.
        at: When it was set, in seconds since 1970; 0 where it never was.

    Raises:
        ConfigError: If these do not go together.
    """

    state: State = "running"
    reason: str = ""
    arm: str = ""
    share: float | None = None
    weights: Mapping[str, float] | None = None
    at: float = 0.0

    def __post_init__(self) -> None:
        if self.state not in _STATES:
            raise ConfigError(f"state must be one of {', '.join(_STATES)}, but got {self.state!r}.")
        if (self.state == "promoted") != bool(self.arm):
            raise ConfigError(
                f"a promoted experiment names its arm, another none, but got {self.state!r} "
                f"and {self.arm!r}."
            )
        if self.share is not None and not 0 <= self.share <= 1:
            raise ConfigError(f"share must be 0 to 1, but got {self.share!r}.")
        for arm, weight in (self.weights or {}).items():
            if not math.isfinite(weight) or weight < 0:
                raise ConfigError(
                    f"weights must be finite and not negative, but got {weight!r} for {arm!r}."
                )
        if self.weights is not None and not any(self.weights.values()):
            raise ConfigError(f"one weight must be more than 0, but got {dict(self.weights)!r}.")
