"""The times at which requests are meant to start."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrivals"]


class Arrivals(ABC):
    """
    A schedule of an open loop: a value, the same for the same seed.

    Equal schedules have equal `describe()`, which is what reports and journals hold.
    """

    @property
    @abstractmethod
    def rate(self) -> float:
        """Mean arrivals a second; of a ramp, over its whole length."""

    @property
    def end_ns(self) -> int | None:
        """Where a trace that is not repeated is over, from the start; None of what is endless."""
        return None

    @abstractmethod
    def offsets(self, seed: int) -> Iterator[NDArray[np.int64]]:
        """
        Nanoseconds from the start of the load, never decreasing, in chunks.

        A chunk holds at most about a second or 10,000 arrivals. Endless, but for a
        recorded trace that is not repeated.
        """

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types: `kind`, `rate` in arrivals a second, and others."""

    @abstractmethod
    def __str__(self) -> str:
        """For people: "500/s, Poisson"."""
