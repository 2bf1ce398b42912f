"""How good a model is, as labels, a better model or its own confidence tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.rates import ONE_SIDED, FallDetector, rate_error

__all__ = ["Accuracy"]

Floats = NDArray[np.float64]

_RECENT = 1000
"""Rows that an estimate is of, and that a reference is made of where there is none."""


class Accuracy:
    """
    A stream of rows that are right or wrong, or right with a probability.

    Args:
        name: Such as "accuracy by labels".
        drop: A fall that is no alert.
        run_length: Rows between false alarms.
        reference: The rate when all is well; that of the first 1,000 rows by default.
        error: The standard error of the reference.
    """

    def __init__(
        self,
        name: str,
        *,
        drop: float,
        run_length: float,
        reference: float | None = None,
        error: float = 0.0,
    ) -> None:
        self.name, self.drop, self.run_length = name, drop, run_length
        self.reference = reference
        self.rows = 0
        self.fallen = False
        self.since = 0
        self.since_time = 0.0
        self._detector: FallDetector | None = None
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._after_alarm = 0
        if reference is not None:
            self._begin(reference, error)

    @property
    def allowed(self) -> float:
        """The fall that is none: the drop, and what the reference is not sure of."""
        if self._detector is None or self.reference is None:
            return self.drop
        return self.reference - self._detector.rate

    @property
    def evidence(self) -> float:
        """That the rate has fallen; an alarm where it reaches the run length."""
        return 0.0 if self._detector is None else self._detector.evidence

    @property
    def recent(self) -> float | None:
        """Of the last 1,000 rows, or fewer; None before the first."""
        return float(np.mean(self._recent)) if self._recent else None

    def add(self, values: Floats, time: float) -> bool:
        """
        Go on with rows, 0 to 1 each.

        Returns:
            Whether the rate has fallen, and this is new.
        """
        if not len(values):
            return False
        self.rows += len(values)
        self._recent.extend(values.tolist())
        if self._detector is None:
            if self.rows >= _RECENT:
                rate = float(np.mean(self._recent))
                self.reference = rate
                self._begin(rate, rate_error(rate, _RECENT))
            return False
        if self.fallen:
            self._after_alarm += len(values)
            if self._after_alarm >= _RECENT and np.mean(self._recent) >= self._detector.rate:
                self.fallen = False
                self._detector.reset()
                self._times[:] = time
            return False
        detector = self._detector
        before = detector.beginnings.copy()
        reached = detector.add(values, self.run_length)
        self._times[detector.beginnings != before] = time
        bet = detector.likeliest
        # Of rows that came together, those after an alarm are not looked at.
        looked_at = self.rows - (0 if reached is None else len(values) - reached)
        self.since = looked_at - detector.seen + int(detector.beginnings[bet])
        self.since_time = float(self._times[bet])
        if reached is None:
            return False
        self.fallen = True
        self._after_alarm = 0
        return True

    def report(self) -> Mapping[str, Any]:
        """Numbers for a status."""
        return {
            "rows": self.rows,
            "reference": self.reference,
            "recent": self.recent,
            "allowed_fall": self.allowed,
            "evidence": self.evidence,
            "fallen": self.fallen,
        }

    def _begin(self, reference: float, error: float) -> None:
        rate = reference - self.drop - ONE_SIDED * error
        self._detector = FallDetector(min(max(rate, 0.0), 1.0))
        self._times = np.zeros(len(self._detector.beginnings))
