"""Features over windows of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.evidence import advanced, combined
from tritonkit.client.drift.profile import Watched

__all__ = ["Tracker"]

Floats = NDArray[np.float64]

_QUIET = 10
"""Windows in a row that are not too far away, after which a drift is over."""

_LITTLE = 1.1
"""Evidence of a row of windows that were not too far away is 1.02 at most."""


@dataclass(slots=True)
class _Window:
    """What is being filled: the sum over rows of one scale."""

    sum: Floats
    rows: int = 0


class Tracker:
    """
    A feature over a stream: windows of every scale, and the evidence that they leave.

    Args:
        watched: The feature.
        scales: Sizes of windows, each twice the one before.
        threshold: The distance that is no drift; the feature's own by default.
    """

    def __init__(
        self, watched: Watched, scales: Sequence[int], threshold: float | None = None
    ) -> None:
        self.watched = watched
        self.scales = tuple(scales)
        self.threshold = watched.feature.threshold if threshold is None else threshold
        # Distances are metrics: a window that is no further away than the threshold is
        # measured no further than that, its own noise and the reference's.
        self.allowed = self.threshold + watched.noise.windows + watched.noise.reference
        self.rows = 0
        self.windows = 0
        self.drifted = False
        self.distance = 0.0
        self.mean = watched.mean
        self.since = 0
        self.since_time = 0.0
        self._quiet = 0
        self._seen_by = 0
        self._evidence = np.zeros(len(scales))
        self._parts = [_Window(np.zeros_like(watched.mean)) for _ in scales]
        self._recent = np.zeros_like(watched.mean)
        self._recent_rows = 0

    @property
    def evidence(self) -> float:
        """Of all scales, in windows of the smallest."""
        return 0.0 if self.drifted else float(combined(self._evidence))

    def extend(self, encoded: Floats, time: float) -> bool:
        """Go on with any number of rows; whether a window is full by them."""
        closed = False
        while len(encoded):
            space = self.scales[0] - self._parts[0].rows
            closed |= self._add(encoded[:space], time)
            encoded = encoded[space:]
        return closed

    def alarm(self) -> None:
        """It was said; say it again only when it was over."""
        self.drifted = True
        # A change that only large windows see is not over after a few small ones.
        self._seen_by = int((self._evidence * 2.0 ** np.arange(len(self.scales))).argmax())
        self._quiet = 0
        self._evidence[:] = 0.0

    def recent(self) -> tuple[Floats, float, float]:
        """Since the evidence began to grow: the average, its distance, and what is allowed."""
        rows = max(self._recent_rows, self.scales[0])
        mean = self._recent / self._recent_rows if self._recent_rows else self.mean
        largest = max(place for place, size in enumerate(self.scales) if size <= rows)
        distance = float(self.watched.feature.distance(self.watched.mean, mean))
        return mean, distance, float(self.allowed[largest])

    def report(self) -> Mapping[str, Any]:
        """Numbers of the last window, and of the evidence."""
        feature = self.watched.feature
        return {
            "rows": self.rows,
            "drifted": self.drifted,
            "distance": self.distance,
            "allowed": float(self.allowed[0]),
            "evidence": self.evidence,
            "measures": feature.measures(self.watched.mean, self.mean),
        }

    def _add(self, encoded: Floats, time: float) -> bool:
        """Go on with rows, as many as there is space for at most."""
        smallest = self._parts[0]
        smallest.sum = smallest.sum + encoded.sum(axis=0)
        smallest.rows += len(encoded)
        self.rows += len(encoded)
        if smallest.rows < self.scales[0]:
            return False
        self._close(time)
        return True

    def _close(self, time: float) -> None:
        carried: _Window | None = None
        self.windows += 1
        for place, size in enumerate(self.scales):
            part = self._parts[place]
            if carried is not None:
                part.sum = part.sum + carried.sum
                part.rows += carried.rows
            if part.rows < size:
                break
            self._judge(place, part.sum / part.rows)
            carried = part
            self._parts[place] = _Window(np.zeros_like(part.sum))
            if place == 0:
                self._recent = self._recent + part.sum
                self._recent_rows += part.rows
        if (self._evidence < _LITTLE).all():
            # Nothing but what windows without drift leave.
            self.since, self.since_time = self.rows, time
            if not self.drifted:
                self._recent = np.zeros_like(self._recent)
                self._recent_rows = 0

    def _judge(self, place: int, mean: Floats) -> None:
        distance = self.watched.feature.distance(self.watched.mean, mean)
        far = bool(distance > self.allowed[place])
        if place == 0:
            self.mean, self.distance = mean, float(distance)
        if self.drifted and place == self._seen_by:
            self._quiet = 0 if far else self._quiet + 1
            if self._quiet >= _QUIET:
                self.drifted = False
        if not self.drifted:
            evidence = self._evidence[place : place + 1]
            self._evidence[place] = advanced(evidence, np.array([far]))[0]
