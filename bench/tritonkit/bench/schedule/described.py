"""Arrivals that a report tells of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.errors import ConfigError

__all__ = ["Described"]


@dataclass(frozen=True, slots=True)
class Described(Arrivals):
    """
    A schedule of which only the description is left, as a document holds it.

    Points are recognised by what they describe, so that is enough to compare, merge and
    show them; sending by it is refused.

    Args:
        text: For people.
        description: What the schedule described itself as.
    """

    text: str
    description: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Mean arrivals a second."""
        return float(self.description["rate"])

    def offsets(self, seed: int) -> Iterator[NDArray[np.int64]]:
        """Refused: the times themselves are not in a report."""
        raise ConfigError(f"the schedule {self.text!r} comes from a report and cannot be sent by.")

    def describe(self) -> Mapping[str, Any]:
        """What the schedule described itself as."""
        return self.description

    def __str__(self) -> str:
        return self.text
