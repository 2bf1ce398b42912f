"""What arms did over time, and what moved together."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from tritonkit.client.experiments.cohort import Cohort
from tritonkit.client.experiments.columns import Index, Joined, Values
from tritonkit.client.experiments.report import Movement, TimeBin
from tritonkit.client.statistics.correlation import LEAST, correlate

__all__ = ["Timeline"]


class Timeline:
    """
    Bins of one length, from the first to the last answer.

    Args:
        joined: All events.
        cohort: Of one version.
        bins: How many.
    """

    def __init__(self, joined: Joined, cohort: Cohort, bins: int) -> None:
        answers, self._rows = joined.answers, cohort.rows
        self._joined, self._bins = joined, bins
        self._arm = cohort.arm[cohort.at]
        at = answers.at[self._rows]
        self.begin = float(at.min()) if len(at) else 0.0
        end = float(at.max()) if len(at) else 0.0
        self.seconds = max((end - self.begin) / bins, 1e-9)
        self._bin = np.minimum(((at - self.begin) / self.seconds).astype(np.int64), bins - 1)

    def bins(self, arms: Sequence[int], names: Sequence[str]) -> tuple[TimeBin, ...]:
        """Those with answers, arm by arm; *names* are outcomes."""
        if not len(self._rows):
            return ()
        answers, cells = self._joined.answers, len(self._joined.arms) * self._bins
        cell = self._arm * self._bins + self._bin
        counts = np.bincount(cell, minlength=cells)
        errors = np.bincount(cell, answers.failed[self._rows], cells)
        good = ~answers.failed[self._rows]
        seconds, of = answers.seconds[self._rows][good], cell[good]
        seconds = seconds[np.lexsort((seconds, of))]
        ends = np.cumsum(np.bincount(of, minlength=cells))
        means = {name: self._means(name, cell, cells) for name in names}
        made = []
        for place in (arm * self._bins + bin for arm in arms for bin in range(self._bins)):
            if not counts[place]:
                continue
            slow = seconds[ends[place - 1] if place else 0 : ends[place]]
            made.append(
                TimeBin(
                    arm=self._joined.arms[place // self._bins],
                    at=self.begin + place % self._bins * self.seconds,
                    seconds=self.seconds,
                    answers=int(counts[place]),
                    errors=int(errors[place]),
                    p50=_quantile(slow, 0.5),
                    p95=_quantile(slow, 0.95),
                    outcomes={
                        name: float(mean[place])
                        for name, mean in means.items()
                        if np.isfinite(mean[place])
                    },
                )
            )
        return tuple(made)

    def movements(self, kpis: Sequence[str], alpha: float) -> tuple[Movement, ...]:
        """
        Each outcome of *kpis* with each of the model's metrics, over bins and all arms.

        With the amount of traffic held fixed. Nothing where fewer than 20 bins have both.
        """
        found = []
        traffic = np.bincount(self._bin, minlength=self._bins).astype(np.float64)
        metrics = self._metrics(traffic)
        for kpi in kpis:
            means = self._means(kpi, self._bin, self._bins)
            for metric, values in metrics.items():
                both = np.isfinite(means) & np.isfinite(values)
                if both.sum() < LEAST or values[both].std() == 0 or means[both].std() == 0:
                    continue
                correlation = correlate(
                    means[both], values[both], confounders=np.log(traffic[both]), alpha=alpha
                )
                found.append(
                    Movement(kpi=kpi, metric=metric, found=correlation, seconds=self.seconds)
                )
        return tuple(found)

    def _metrics(self, traffic: Values) -> dict[str, Values]:
        answers, rows = self._joined.answers, self._rows
        with np.errstate(invalid="ignore", divide="ignore"):
            good = ~answers.failed[rows]
            seconds = np.bincount(self._bin[good], answers.seconds[rows][good], self._bins)
            return {
                "errors": np.bincount(self._bin, answers.failed[rows], self._bins) / traffic,
                "degraded": np.bincount(self._bin, answers.degraded[rows], self._bins) / traffic,
                "latency": seconds / np.bincount(self._bin[good], minlength=self._bins),
            }

    def _means(self, name: str, cell: Index, cells: int) -> Values:
        """Of outcomes in each cell, by the time of their answers; NaN without any."""
        joined = self._joined
        of = np.full(len(joined.answers), -1, np.int64)
        of[self._rows] = cell
        named = joined.outcomes.name == (joined.names.index(name) if name in joined.names else -1)
        where = of[joined.outcomes.answer[named]]
        inside = where >= 0
        sums = np.bincount(where[inside], joined.outcomes.value[named][inside], cells)
        counts = np.bincount(where[inside], minlength=cells)
        with np.errstate(invalid="ignore", divide="ignore"):
            means: Values = sums / counts
        return means


def _quantile(ordered: Values, share: float) -> float:
    """Of sorted values: the first that so many are at most."""
    if not len(ordered):
        return nan
    return float(ordered[max(1, int(np.ceil(len(ordered) * share))) - 1])
