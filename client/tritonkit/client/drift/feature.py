"""What is watched of a tensor: an average over rows that can be compared with the reference's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Feature", "Side", "State"]

Side: TypeAlias = Literal["input", "output"]

State: TypeAlias = dict[str, Any]
"""What a feature is made of, for a file: plain values, and arrays."""

Floats = NDArray[np.float64]


class Feature(ABC):
    """
    Turns each row into a vector, whose average over rows says how they are distributed.

    Averages add up, so a window of any size is one sum; and the distance that
    decides is a metric between averages, so that what is allowed and what is noise
    can be added.

    Args:
        name: Such as "input age", for alerts.
        side: Whether it reads inputs or outputs.
        tensor: The name of what it reads.
    """

    kind: ClassVar[str]
    """In a profile's file."""

    measure: ClassVar[str]
    """The distance that decides."""

    threshold: ClassVar[float]
    """What the distance may be, by default."""

    def __init__(self, name: str, side: Side, tensor: str) -> None:
        self.name, self.side, self.tensor = name, side, tensor

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @abstractmethod
    def encode(self, rows: NDArray[Any]) -> Floats:
        """The vector of each row, shape (rows, numbers)."""

    @abstractmethod
    def distance(self, reference: Floats, observed: Floats) -> Floats:
        """From *reference*, shape (numbers,), to *observed*, shape (..., numbers)."""

    @abstractmethod
    def measures(self, reference: Floats, observed: Floats) -> Mapping[str, float]:
        """Every measure by its name, the one that decides first."""

    @abstractmethod
    def change(self, reference: Floats, observed: Floats) -> str:
        """What has changed most, in words."""

    @abstractmethod
    def state(self) -> State:
        """What `restored` makes it of."""

    @classmethod
    @abstractmethod
    def restored(cls, name: str, side: Side, tensor: str, state: State) -> Feature:
        """The feature that had this state."""


def moved(names: list[str], reference: Floats, observed: Floats) -> str:
    """The bin whose share has changed most, in words."""
    bin_ = int(np.argmax(np.abs(observed - reference)))
    before, now = float(reference[bin_]), float(observed[bin_])
    verb = "rose" if now > before else "fell"
    return f"the share of {names[bin_]} {verb} from {before:.1%} to {now:.1%}"
