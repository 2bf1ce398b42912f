"""One of a few values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.feature import Feature, Floats, Side, State, moved
from tritonkit.client.drift.measures import jensen_shannon_distance, population_stability_index
from tritonkit.client.drift.reading import Reading

__all__ = ["Categories"]

MOST = 50


class Categories(Feature):
    """
    A value of each row out of those that the reference has; all others are one more.

    The Jensen-Shannon distance decides.

    Args:
        name: For alerts.
        side: Inputs or outputs.
        tensor: What it reads.
        reading: The value.
        values: The commonest of the reference.
    """

    kind = "categories"
    measure = "jensen_shannon"
    threshold = 0.1

    def __init__(
        self, name: str, side: Side, tensor: str, *, reading: Reading, values: Sequence[Any]
    ) -> None:
        super().__init__(name, side, tensor)
        self.reading, self.values = reading, list(values)
        self._places = {value: place for place, value in enumerate(self.values)}

    @classmethod
    def of(cls, name: str, side: Side, tensor: str, reading: Reading, rows: Any) -> Categories:
        """Made for a reference."""
        counts: dict[Any, int] = {}
        for value in reading(rows).tolist():
            counts[value] = counts.get(value, 0) + 1
        common = sorted(counts, key=lambda value: (-counts[value], str(value)))[:MOST]
        return cls(name, side, tensor, reading=reading, values=common)

    def encode(self, rows: NDArray[Any]) -> Floats:
        """One at the place of a row's value; the last is for those that are not known."""
        values = self.reading(rows).tolist()
        places = [self._places.get(value, len(self.values)) for value in values]
        found = np.zeros((len(values), len(self.values) + 1))
        found[np.arange(len(values)), places] = 1.0
        return found

    def distance(self, reference: Floats, observed: Floats) -> Floats:
        """0 to 1."""
        return jensen_shannon_distance(reference, observed)

    def measures(self, reference: Floats, observed: Floats) -> Mapping[str, float]:
        """Jensen-Shannon, PSI, and the share of values that are not known."""
        return {
            "jensen_shannon": float(jensen_shannon_distance(reference, observed)),
            "psi": float(population_stability_index(reference, observed)),
            "unknown": float(observed[-1]),
        }

    def change(self, reference: Floats, observed: Floats) -> str:
        """The value whose share has changed most."""
        return moved([*map(repr, self.values), "all other values"], reference, observed)

    def state(self) -> State:
        """The values."""
        reading = {"reading": self.reading.kind, "index": self.reading.index}
        return {**reading, "values": self.values}

    @classmethod
    def restored(cls, name: str, side: Side, tensor: str, state: State) -> Categories:
        """The feature that had this state."""
        reading = Reading(kind=state["reading"], index=state["index"])
        return cls(name, side, tensor, reading=reading, values=state["values"])
