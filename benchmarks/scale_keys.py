"""
How much a cache of a size answers, where keys are asked for by Zipf's law.

Che's approximation: a key that is asked for *rate* times a second is in an LRU cache of a
size with probability 1 - exp(-rate * T), T being one for all keys, such that the
probabilities add up to the size. An entry that ends at an age is there a share
rate * age / (1 + rate * age) of the time. A key that comes once only takes the place of an
entry for as long as T, and is never asked for. H. Che et al., IEEE JSAC 20(7), 2002.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Popularity"]

_EXACT = 1_000
_BINS = 2_000


@dataclass(frozen=True)
class Popularity:
    """
    Keys by rank, the first of them one by one and the others in bins of like ones.

    Args:
        share: Of all requests, for one key of a bin.
        keys: In a bin.
    """

    share: NDArray[np.float64]
    keys: NDArray[np.float64]

    @classmethod
    def zipf(cls, count: int, s: float) -> Popularity:
        """Key k of *count* is asked for in proportion to 1 / k**s."""
        exact = min(count, _EXACT)
        edges = np.arange(0.5, exact + 1.0)
        if count > exact:
            rest = np.geomspace(exact + 0.5, count + 0.5, _BINS + 1)
            edges = np.concatenate((edges, rest[1:]))
        middles = np.sqrt(edges[:-1] * edges[1:])
        middles[:exact] = np.arange(1, exact + 1)
        keys = np.diff(edges)
        weights = middles**-s
        return cls(weights / float(weights @ keys), keys)

    @property
    def count(self) -> float:
        """Keys there are."""
        return float(self.keys.sum())

    def distinct(self, requests: float) -> float:
        """Keys that some of so many requests ask for."""
        return float(self.keys @ -np.expm1(-self.share * requests))

    def held(
        self,
        rates: NDArray[np.float64],
        entries: float,
        ttl: float = np.inf,
        *,
        kept: float | None = None,
        once: float = 0.0,
    ) -> NDArray[np.float64]:
        """
        The probability that an answer which is still good is in the cache, for a key of each bin.

        Args:
            rates: How often a second one key of a bin is asked for here.
            entries: That the cache has room for.
            ttl: Seconds for which an answer is good.
            kept: Seconds for which its entry is kept; the same if None.
            once: Keys a second that are kept, and not asked for again.
        """
        if entries <= 0:
            return np.zeros_like(rates)
        stays = ttl if kept is None else kept
        good, there = _aged(rates, ttl), _aged(rates, stays)
        if entries >= float(self.keys @ there) + (once * stays if once else 0.0):
            return good
        least = float(np.min(rates[rates > 0], initial=np.inf))
        low, high = 0.0, 1e6 / least if np.isfinite(least) else stays
        for _ in range(100):
            time = (low + high) / 2
            held = float(self.keys @ np.minimum(there, -np.expm1(-rates * time)))
            held += once * min(time, stays)
            low, high = (time, high) if held < entries else (low, time)
        return np.minimum(good, -np.expm1(-rates * low))

    def hit_share(self, rate: float, entries: float, ttl: float = np.inf) -> float:
        """Of *rate* requests a second for all keys, what a full cache answers; see `held`."""
        return float((self.share * self.keys) @ self.held(self.share * rate, entries, ttl))


def _aged(rates: NDArray[np.float64], age: float) -> NDArray[np.float64]:
    """How much of the time an entry that ends at an age is there."""
    if np.isinf(age):
        return np.where(rates > 0, 1.0, 0.0)
    return rates * age / (1 + rates * age)
