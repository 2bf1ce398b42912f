"""Numbers, on the quantile bins of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.feature import Feature, Floats, Side, State, moved
from tritonkit.client.drift.measures import (
    jensen_shannon_distance,
    population_stability_index,
    wasserstein_distance,
)
from tritonkit.client.drift.reading import Reading

__all__ = ["Numeric"]

_BINS = 20


class Numeric(Feature):
    """
    A number of each row.

    Its Wasserstein distance decides, in standard deviations of the reference (of
    the middle half, so that a long tail does not widen it). What is no number has a bin of its
    own; its share counts in place of the distance where it has changed more.

    Args:
        name: For alerts.
        side: Inputs or outputs.
        tensor: What it reads.
        reading: The number.
        edges: Between bins, growing; a bin takes what is greater than the edge
            before it, up to its own.
        positions: Of each bin, one more than edges, growing.
        scale: A standard deviation.
        mean: Of the reference.
        deviation: The plain standard deviation of the reference.
    """

    kind = "numeric"
    measure = "wasserstein"
    threshold = 0.1

    def __init__(
        self,
        name: str,
        side: Side,
        tensor: str,
        *,
        reading: Reading,
        edges: Floats,
        positions: Floats,
        scale: float,
        mean: float,
        deviation: float,
    ) -> None:
        super().__init__(name, side, tensor)
        self.reading, self.edges, self.positions = reading, edges, positions
        self.scale, self.mean, self.deviation = scale, mean, deviation

    @classmethod
    def of(cls, name: str, side: Side, tensor: str, reading: Reading, rows: Any) -> Numeric:
        """Made for a reference."""
        values = reading(rows).astype(np.float64)
        values = values[np.isfinite(values)]
        if not len(values):
            values = np.zeros(1)
        low, high = np.quantile(values, [0.25, 0.75])
        deviation = float(values.std())
        scale = float(high - low) / 1.349 or deviation or max(1.0, abs(float(values[0])))
        inner = np.quantile(values, np.arange(1, _BINS) / _BINS, method="inverted_cdf")
        least, most = values.min(), values.max()
        # Below all and above all of the reference there is a bin each.
        edges = np.unique([np.nextafter(least, -np.inf), *inner, most])
        bins = np.searchsorted(edges, values)
        positions = [
            float(np.median(values[bins == bin_]))
            for bin_ in range(1, len(edges))
            if (bins == bin_).any()
        ]
        positions = [float(least) - scale, *positions, float(most) + scale]
        return cls(
            name,
            side,
            tensor,
            reading=reading,
            edges=edges,
            positions=np.array(positions),
            scale=scale,
            mean=float(values.mean()),
            deviation=deviation,
        )

    def encode(self, rows: NDArray[Any]) -> Floats:
        """One for the bin that a row is in; the last is for what is no number."""
        values = self.reading(rows).astype(np.float64)
        bins = np.searchsorted(self.edges, values)
        bins[~np.isfinite(values)] = len(self.positions)
        return _one_hot(bins, len(self.positions) + 1)

    def distance(self, reference: Floats, observed: Floats) -> Floats:
        """In standard deviations, or the share of missing values."""
        before = _present(reference)
        wasserstein = wasserstein_distance(before, _present(observed, before), self.positions)
        missing = np.abs(observed[..., -1] - reference[-1])
        found: Floats = np.maximum(wasserstein / self.scale, missing)
        return found

    def measures(self, reference: Floats, observed: Floats) -> Mapping[str, float]:
        """Wasserstein, Jensen-Shannon, PSI, and the share of missing values."""
        before = _present(reference)
        present = before, _present(observed, before)
        return {
            "wasserstein": float(wasserstein_distance(*present, self.positions)) / self.scale,
            "jensen_shannon": float(jensen_shannon_distance(*present)),
            "psi": float(population_stability_index(reference, observed)),
            "missing": float(observed[-1]),
        }

    def change(self, reference: Floats, observed: Floats) -> str:
        """How the mean has moved, and the bin that changed most."""
        shares = _present(reference)
        before = float(shares @ self.positions)
        now = float(_present(observed, shares) @ self.positions)
        edges = [f"{edge:.4g}" for edge in self.edges]
        names = [f"values up to {edges[0]}"]
        names += [f"values {low} to {high}" for low, high in pairwise(edges)]
        names += [f"values above {edges[-1]}", "missing values"]
        return f"mean {before:.4g} to {now:.4g}; {moved(names, reference, observed)}"

    def state(self) -> State:
        """Bins and scale."""
        return {
            "reading": self.reading.kind,
            "index": self.reading.index,
            "centre": self.reading.centre,
            "basis": self.reading.basis,
            "edges": self.edges,
            "positions": self.positions,
            "scale": self.scale,
            "mean": self.mean,
            "deviation": self.deviation,
        }

    @classmethod
    def restored(cls, name: str, side: Side, tensor: str, state: State) -> Numeric:
        """The feature that had this state."""
        reading = Reading(
            kind=state["reading"],
            index=state["index"],
            centre=state["centre"],
            basis=state["basis"],
        )
        numbers = {key: state[key] for key in ("edges", "positions", "scale", "mean", "deviation")}
        return cls(name, side, tensor, reading=reading, **numbers)


def _one_hot(bins: NDArray[np.intp], count: int) -> Floats:
    found = np.zeros((len(bins), count))
    found[np.arange(len(bins)), bins] = 1.0
    return found


def _present(shares: Floats, otherwise: Floats | None = None) -> Floats:
    """Shares among what is there; *otherwise* where nothing is."""
    present: Floats = shares[..., :-1]
    total = present.sum(axis=-1, keepdims=True)
    if otherwise is None:
        otherwise = np.full(present.shape[-1], 1 / present.shape[-1])
    found: Floats = np.where(total > 0, present / np.where(total > 0, total, 1.0), otherwise)
    return found
