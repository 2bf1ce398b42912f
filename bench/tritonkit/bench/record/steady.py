"""Whether a run reached a steady state, and where it begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DIFFERENCE", "FEWEST_SLICES", "Series", "Verdict", "difference", "judge", "mser"]

DIFFERENCE = 0.1
"""Share by which two parts of a window may differ; perf_analyzer's limit of stability."""

FEWEST_SLICES = 10
"""With fewer there is nothing to be told."""

_BATCHES = 5
"""Of each of two parts that are compared: the fewest that give a variance worth the name."""

_CHANCE = 6.34
"""How far two means of _BATCHES normal values differ by chance once in a thousand, in errors
as `_error` tells them; from a million draws."""

_TRANSIENT = 0.05
"""Share by which a slice must be off for its start to be called a warm-up."""

_DEVIATIONS = 5.0
"""Standard deviations of a slice by which it must be off as well."""

_NORMAL = 1.4826
"""From the median absolute deviation of normal values to their standard deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """
    What happened in each slice of a window.

    Args:
        answered: Answered requests, shape (slices,).
        total: Sum of their latencies, shape (slices,), in any unit.
    """

    answered: NDArray[np.int64]
    total: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.answered)

    def after(self, cut: int) -> Series:
        """Without the first *cut* slices."""
        return Series(self.answered[cut:], self.total[cut:])

    @property
    def throughput(self) -> NDArray[np.float64]:
        """Answered requests of a slice."""
        return self.answered.astype(np.float64)

    @property
    def latency(self) -> NDArray[np.float64]:
        """Mean latency of a slice; NaN where nothing was answered."""
        with np.errstate(invalid="ignore"):
            return np.where(self.answered > 0, self.total / np.maximum(self.answered, 1), np.nan)

    def batches(self, count: int) -> Series:
        """Joined to *count* batches of equal length; what is left over at the start is left out."""
        size = len(self) // count
        kept = self.after(len(self) - size * count)
        return Series(
            kept.answered.reshape(count, size).sum(axis=1),
            kept.total.reshape(count, size).sum(axis=1),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What a window's slices tell.

    Args:
        cut: Slices at its start that belong to the warm-up still.
        unstable: Why the rest is no steady state, in a few words; None where it is one.
    """

    cut: int = 0
    unstable: str | None = None


def judge(series: Series, before: Series | None = None) -> Verdict:
    """
    Find where the steady state begins, and whether it lasts.

    Args:
        series: The slices of a window.
        before: The slice before it; None where there is none. Where it was as the window
            is later on, what is off at the window's start is no warm-up but something that
            happened there, and is kept.

    Of stationary, independent and normal slices, at most 1 window in 100 loses a slice or
    more, and at most 2 in 1,000 are called unstable. A stall in the middle is never taken for a
    warm-up, which must begin with the first slice.
    """
    if len(series) < FEWEST_SLICES:
        return Verdict()
    cut = max(
        _transient(series.throughput, None if before is None else before.throughput),
        _transient(series.latency, None if before is None else before.latency),
    )
    rest = series.after(cut)
    half = len(rest) // 2
    found = difference(Series(rest.answered[:half], rest.total[:half]), rest.after(half))
    if found is None:
        return Verdict(cut)
    return Verdict(cut, f"{found} from the first half of the window to the second")


def difference(first: Series, second: Series) -> str | None:
    """
    How two parts differ by more than DIFFERENCE and by more than chance.

    Means of batches are compared, so that slices may depend on their neighbours.

    Returns:
        Such as "the mean latency rose by 31%"; None where they do not differ.
    """
    if min(len(first), len(second)) < _BATCHES:
        return None
    # Parts of the same length: the throughput of a batch is the count of its requests.
    length = min(len(first), len(second))
    one = first.after(len(first) - length).batches(_BATCHES)
    two = second.after(len(second) - length).batches(_BATCHES)
    for name, a, b in (
        ("throughput", one.throughput, two.throughput),
        ("mean latency", one.latency, two.latency),
    ):
        change = float(b.mean() - a.mean())
        base = float(min(a.mean(), b.mean()))
        # Comparisons with NaN, where a batch had no answers, are false.
        if abs(change) > DIFFERENCE * base and abs(change) > _CHANCE * _error(a, b):
            rise = "rose" if change > 0 else "fell"
            share = abs(change) / float(a.mean()) if a.mean() else 1.0
            return f"the {name} {rise} by {share:.0%}"
    return None


def _error(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """
    Standard error of the difference of two means, by what each value differs from the last.

    Unlike a variance it does not grow where the level drifts, nor, as the largest step is
    left out, where it jumps once.

    Source: von Neumann, Distribution of the ratio of the mean square successive difference
    to the variance (1941).
    """
    steps = np.sort(np.abs(np.diff(np.concatenate([first, second]))))[:-1]
    return float(np.sqrt((steps * steps).mean() / 2 * (1 / len(first) + 1 / len(second))))


def mser(values: NDArray[np.float64]) -> int:
    """
    How many first values to cut so that the mean of the rest is known best.

    Args:
        values: Means of batches, shape (batches,).

    Returns:
        0 to half of them.

    Source: White, Cobb and Spratt, A comparison of five steady-state truncation
    heuristics for simulation (2000): the marginal standard error rule, MSER-5, where
    a slice takes the place of a batch of five.
    """
    count = len(values)
    left = count - np.arange(count // 2 + 1)
    rest = np.cumsum(values[::-1])[::-1][: len(left)]
    squares = np.cumsum((values * values)[::-1])[::-1][: len(left)]
    errors = np.maximum(squares - rest * rest / left, 0.0) / (left * left)
    return int(np.argmin(errors))


def _transient(values: NDArray[np.float64], before: NDArray[np.float64] | None) -> int:
    """
    Slices of a warm-up at the start.

    They are what MSER cuts, as far as they are off from the second half of the window
    in one piece: what is off later on is a disturbance, and belongs to the result.
    Where the whole first half is off, no steady state began in it, and nothing is cut.
    """
    half = len(values) // 2
    settled = values[half:]
    settled = settled[np.isfinite(settled)]
    if len(settled) < _BATCHES:
        return 0
    # Medians, so that neither a stall nor a shift in the second half widens what is usual.
    level = float(np.median(settled))
    deviation = _NORMAL * float(np.median(np.abs(settled - level)))
    spread = max(_DEVIATIONS * deviation, _TRANSIENT * abs(level))
    off = ~(np.abs(values[: half + 1] - level) <= spread)
    run = int(np.argmin(off))
    if not run or run >= half:
        return 0
    if before is not None and abs(before[-1] - level) <= spread:
        return 0
    return min(run, max(1, mser(np.where(np.isfinite(values), values, level))))
