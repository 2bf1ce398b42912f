"""Arrivals at a rate that changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.chunks import checked_rate, chunk_size
from tritonkit.errors import ConfigError

__all__ = ["Ramp"]


class Ramp(Arrivals):
    """
    A rate that is linear between given instants, and stays what it is at the last.

    The k-th arrival comes when the integral of the rate reaches k; or, of a Poisson
    process with that rate, the k-th arrival of one with rate 1.

    Args:
        points: Seconds from the start, rising from 0, and the arrivals a second at
            each; the last rate is above 0. Two points at one instant are a step.
        poisson: Whether the arrivals are those of a Poisson process.

    Source: Çinlar, Introduction to Stochastic Processes (1975), ch. 4.7, for the
    change of time.
    """

    def __init__(self, points: Sequence[tuple[float, float]], *, poisson: bool = False) -> None:
        if not points:
            raise ConfigError("a ramp needs at least one point of time and rate.")
        self._times = np.array([time for time, _ in points], dtype=np.float64)
        self._rates = np.array([rate for _, rate in points], dtype=np.float64)
        if self._times[0] != 0 or not np.isfinite(self._times).all():
            raise ConfigError(
                f"the times of a ramp must start at 0 and be finite, but got {_list(self._times)}."
            )
        if (np.diff(self._times) < 0).any():
            raise ConfigError(f"the times of a ramp must not fall, but got {_list(self._times)}.")
        if not np.isfinite(self._rates).all() or (self._rates < 0).any() or not self._rates[-1]:
            raise ConfigError(
                "the rates of a ramp must be at least 0, and the last above 0, "
                f"but got {_list(self._rates)}."
            )
        for name, rate in (("last", self._rates[-1]), ("highest", self._rates.max())):
            checked_rate(float(rate), f"the {name} rate of a ramp")
        self._poisson = poisson
        means = (self._rates[1:] + self._rates[:-1]) / 2
        self._counts = np.concatenate([[0.0], np.cumsum(means * np.diff(self._times))])

    @classmethod
    def between(cls, first: float, last: float, seconds: float, *, poisson: bool = False) -> Ramp:
        """From one rate to another in so many seconds."""
        return cls([(0.0, first), (seconds, last)], poisson=poisson)

    @property
    def rate(self) -> float:
        """Mean arrivals a second up to the last point."""
        length = float(self._times[-1])
        return float(self._counts[-1]) / length if length else float(self._rates[-1])

    def offsets(self, seed: int) -> Iterator[NDArray[np.int64]]:
        """Of equal distances in the integral of the rate, or of exponential ones."""
        rng = np.random.default_rng(seed)
        size = chunk_size(float(self._rates.max()))
        last, first = 0.0, 0
        while True:
            if self._poisson:
                counts = last + np.cumsum(rng.exponential(1.0, size))
                last = float(counts[-1])
            else:
                counts = np.arange(first, first + size, dtype=np.float64)
                first += size
            yield np.rint(self._times_of(counts) * 1e9).astype(np.int64)

    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types."""
        return {
            "kind": "ramp",
            "rate": self.rate,
            "seconds": self._times.tolist(),
            "rates": self._rates.tolist(),
            "poisson": self._poisson,
        }

    def __str__(self) -> str:
        kind = ", Poisson" if self._poisson else ""
        if len(self._times) > 4:
            low, high = float(self._rates.min()), float(self._rates.max())
            return f"{low:g} to {high:g}/s in {len(self._times)} points{kind}"
        steps = [f"{self._rates[0]:g}/s"]
        for time, rate in zip(self._times[1:], self._rates[1:], strict=True):
            steps.append(f"{rate:g}/s at {time:g}s")
        return f"ramp {', '.join(steps)}{kind}"

    def _times_of(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """When the integral of the rate reaches each of *counts*, in seconds."""
        # On the right: a part in which nothing arrives is passed over.
        part = np.searchsorted(self._counts, counts, side="right") - 1
        missing = counts - self._counts[part]
        rate = self._rates[part]
        length = np.append(np.diff(self._times), math.inf)
        rise = np.append(np.diff(self._rates), 0.0)
        # What is shorter than arrivals are exact is a step.
        slope = np.divide(rise, length, out=np.zeros_like(rise), where=length > 1e-9)[part]
        # missing = rate t + slope t^2 / 2, solved so that nothing cancels out.
        root = np.sqrt(np.maximum(rate * rate + 2 * slope * missing, 0.0))
        times: NDArray[np.float64] = np.divide(
            2 * missing, rate + root, out=np.zeros_like(missing), where=rate + root > 0
        )
        times = np.minimum(times, length[part])
        return self._times[part] + times


def _list(values: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:g}" for value in values)
