"""When a stream of counts holds much more than it used to: a sequential test, for many at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SpikeTests", "delay_bound"]

BETS = (0.2, 0.5, 0.9)
"""How much of the evidence is staked on the next count; the mean of all is the evidence."""

IDLE = 60
"""Empty bins after which what they say is not worked out one by one."""


class SpikeTests:
    """
    One test for each stream, by counts in bins of one length.

    A test bets against "given all that was before, the mean of the next bin is at most
    *factor* times the usual". The usual is a mean over the bins before, in which the
    newest *memory* weigh most, or *least* where that is more. For every such stream,
    however bursty, 1 + bet * (count / (factor * usual) - 1) has a mean of at most 1, and
    the Shiryaev-Roberts sum of their products a mean of at most the number of bins:
    the mean number of bins until an alarm is at least *run_length*, and the chance of one
    within n bins at most n / *run_length*.

    Source: Shin, Ramdas and Rinaldo, E-detectors (2023).

    Args:
        run_lengths: Of each stream: bins until a false alarm, on average at least.
        factor: What is not yet a spike.
        memory: Bins.
        learn: Bins of a stream before it is tested, unless *least* says what is usual.
    """

    def __init__(
        self, run_lengths: NDArray[np.float64], *, factor: float, memory: int, learn: int
    ) -> None:
        size = len(run_lengths)
        self._thresholds = np.log(run_lengths)
        self._factor, self._memory, self._learn = factor, memory, learn
        self._bets = np.array(BETS)
        self._evidence = np.full((size, len(BETS)), -np.inf)
        self._ages = np.zeros(size, dtype=np.int64)
        self._quiet = np.zeros(size, dtype=np.int64)
        self.usual = np.zeros(size)
        """Mean count of a bin."""

    def add(
        self, counts: NDArray[np.float64], least: NDArray[np.float64] | float = 0.0
    ) -> NDArray[np.bool_]:
        """
        Take the counts of the next bin.

        Args:
            counts: One for each stream.
            least: What is usual at least; 0 for nothing known.

        Returns:
            Where there is an alarm. That stream is not tested for *memory* bins, by when
            its new level is the usual one.
        """
        usual = np.maximum(self.usual, least)
        tested = (usual > 0) & (self._quiet == 0)
        tested &= (self._ages >= self._learn) | (np.asarray(least) > 0)
        allowed = self._factor * np.where(usual > 0, usual, 1.0)
        gains = np.log1p(self._bets * (counts / allowed - 1)[:, None])
        self._evidence = np.where(tested[:, None], np.logaddexp(self._evidence, 0) + gains, -np.inf)
        means = np.logaddexp.reduce(self._evidence, axis=1) - np.log(len(BETS))
        alarms: NDArray[np.bool_] = tested & (means >= self._thresholds)
        self._evidence[alarms] = -np.inf
        self._quiet = np.where(alarms, self._memory, np.maximum(self._quiet - 1, 0))
        self._ages += 1
        self.usual += (counts - self.usual) / np.minimum(self._ages, self._memory)
        return alarms

    def idle(self, bins: int) -> None:
        """Let *bins* pass in which nothing came at all."""
        zeros = np.zeros(len(self.usual))
        for _ in range(min(bins, IDLE)):
            self.add(zeros)
        rest = bins - IDLE
        if rest > 0:
            # No evidence is less than there could be.
            self._evidence[:] = -np.inf
            self._quiet = np.maximum(self._quiet - rest, 0)
            self._ages += rest
            self.usual *= (1 - 1 / self._memory) ** rest

    def forget(self, stream: int) -> None:
        """Another stream takes this place."""
        self._evidence[stream] = -np.inf
        self._ages[stream] = self._quiet[stream] = 0
        self.usual[stream] = 0.0


def delay_bound(run_length: float, *, factor: float, times: float, memory: int) -> float:
    """
    Bins until a steady stream is found to hold *times* what it used to, at most.

    For counts that do not vary; the usual rises while the spike lasts, which is counted in.
    The least of all bets' bounds, each of which needs the threshold times their number; infinite
    where the spike becomes the usual before it is found.
    """
    need = np.log(run_length * len(BETS))
    best = np.inf
    for bet in BETS:
        usual, evidence, bins = 1.0, 0.0, 0.0
        while evidence < need and bins < best:
            gain = np.log1p(bet * (times / (factor * usual) - 1))
            if gain <= 0:
                bins = np.inf
                break
            evidence += gain
            usual += (times - usual) / memory
            bins += 1
        best = min(best, bins)
    return float(best)
