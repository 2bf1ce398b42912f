"""What was counted of a shadow, in a form that adds up across processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from tritonkit.client.layers.shadow.compare import Compared
from tritonkit.client.layers.shadow.latencies import Latencies
from tritonkit.client.layers.shadow.verdict import Evidence
from tritonkit.client.statistics.moments import Moments

__all__ = ["OTHER", "OutputTally", "Tally"]

OTHER = "(other)"
"""The slice of all values beyond the most that are kept apart."""


class OutputTally:
    """Of one output: rows, those that disagree, those with NaN, distances that are finite."""

    def __init__(self) -> None:
        self.rows = self.disagreeing = self.nan = 0
        self.distances = Moments()
        self.largest = 0.0

    def merge(self, other: OutputTally) -> None:
        """Add another's."""
        self.rows += other.rows
        self.disagreeing += other.disagreeing
        self.nan += other.nan
        self.distances = self.distances.merge(other.distances)
        self.largest = max(self.largest, other.largest)

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rows": self.rows,
            "disagreeing": self.disagreeing,
            "nan": self.nan,
            "distances": _moments(self.distances),
            "largest": self.largest,
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> OutputTally:
        """What `values` gave."""
        made = cls()
        made.rows, made.disagreeing, made.nan = (
            values[name] for name in ("rows", "disagreeing", "nan")
        )
        made.distances, made.largest = Moments(*values["distances"]), values["largest"]
        return made


class Tally:
    """
    Sums and counts of a shadow.

    Args:
        slices: How many values of a tag are kept apart.
    """

    def __init__(self, slices: int = 20) -> None:
        self.counts: Counter[str] = Counter()
        """Requests by what became of them."""
        self.requests = self.rows = self.disagreeing = self.nan = self.schema = 0
        """Compared, their rows, and of these: that disagree, have NaN, differ in type or shape."""
        self.disagreement = 0.0
        self.difference = ""
        """What differed in type or shape last."""
        self.outputs: dict[str, OutputTally] = {}
        self.slices: dict[str, list[int]] = {}
        """By value of a tag: rows, and those that disagree."""
        self.primary, self.shadow = Latencies(), Latencies()
        """Of requests that both computed."""
        self.slower = Moments()
        """Seconds by which the shadow took longer, request by request."""
        self.cost = 0
        self._most = slices

    def compared(self, compared: Compared, slice: str | None) -> None:
        """
        Two answers.

        Args:
            compared: One to the other.
            slice: To which they belong; None for none.
        """
        disagreeing = compared.rows - int(compared.agrees.sum())
        self.requests += 1
        self.rows += compared.rows
        self.disagreeing += disagreeing
        self.disagreement += disagreeing / compared.rows
        self.nan += compared.nan
        if compared.schema:
            self.schema += compared.rows
            self.difference = compared.schema
        for name, found in compared.outputs.items():
            each = self.outputs.setdefault(name, OutputTally())
            each.rows += len(found.agrees)
            each.disagreeing += len(found.agrees) - int(found.agrees.sum())
            each.nan += int(found.nan.sum())
            finite = found.distance[np.isfinite(found.distance)]
            if len(finite):
                each.distances = each.distances.merge(Moments.of(finite))
                each.largest = max(each.largest, float(finite.max()))
        if slice is not None:
            self._slice(slice, compared.rows, disagreeing)

    def took(self, primary: float, shadow: float) -> None:
        """Seconds of two answers to the same request, both computed for it."""
        self.primary.add(primary)
        self.shadow.add(shadow)
        self.slower = self.slower.add(shadow - primary)

    def evidence(self) -> Evidence:
        """What a verdict is made of."""
        return Evidence(
            self.disagreement,
            self.requests,
            self.rows,
            self.counts["failed"],
            self.counts["answered"] + self.counts["failed"],
            self.primary,
            self.shadow,
        )

    def merge(self, other: Tally) -> None:
        """Add what another process counted."""
        self.counts.update(other.counts)
        for name in ("requests", "rows", "disagreeing", "nan", "schema", "disagreement", "cost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.difference = self.difference or other.difference
        for name, output in other.outputs.items():
            self.outputs.setdefault(name, OutputTally()).merge(output)
        for value, (rows, disagreeing) in other.slices.items():
            self._slice(value, rows, disagreeing)
        self.primary.merge(other.primary)
        self.shadow.merge(other.shadow)
        self.slower = self.slower.merge(other.slower)

    def copy(self) -> Tally:
        """Another one that counts the same."""
        return Tally.of(self.values())

    def values(self) -> dict[str, Any]:
        """For JSON; `of` reads it."""
        plain = ("requests", "rows", "disagreeing", "nan", "schema", "disagreement", "cost")
        return {
            "counts": dict(self.counts),
            **{name: getattr(self, name) for name in plain},
            "difference": self.difference,
            "outputs": {name: output.values() for name, output in self.outputs.items()},
            "slices": {value: list(counts) for value, counts in self.slices.items()},
            "most_slices": self._most,
            "primary": self.primary.values(),
            "shadow": self.shadow.values(),
            "slower": _moments(self.slower),
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Tally:
        """What `values` gave."""
        made = cls(values["most_slices"])
        made.counts = Counter(values["counts"])
        for name in ("requests", "rows", "disagreeing", "nan", "schema", "disagreement", "cost"):
            setattr(made, name, values[name])
        made.difference = values["difference"]
        made.outputs = {name: OutputTally.of(one) for name, one in values["outputs"].items()}
        made.slices = {value: list(counts) for value, counts in values["slices"].items()}
        made.primary, made.shadow = Latencies.of(values["primary"]), Latencies.of(values["shadow"])
        made.slower = Moments(*values["slower"])
        return made

    def _slice(self, value: str, rows: int, disagreeing: int) -> None:
        if value not in self.slices and len(self.slices) >= self._most:
            value = OTHER
        counts = self.slices.setdefault(value, [0, 0])
        counts[0] += rows
        counts[1] += disagreeing


def _moments(moments: Moments) -> list[float]:
    return [moments.n, moments.mean, moments.m2]
