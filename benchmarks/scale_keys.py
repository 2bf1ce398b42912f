"""
How much a cache of a size answers, where keys are asked for by Zipf's law.

Che's approximation: a key that is asked for *rate* times a second is in an LRU cache of a
size with probability 1 - exp(-rate * T), T being one for all keys, such that the
probabilities add up to the size. An entry that ends at an age is there a share
rate * age / (1 + rate * age) of the time. H. Che et al., IEEE JSAC 20(7), 2002.
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

    def hit_share(self, rate: float, entries: float, ttl: float = np.inf) -> float:
        """
        Of requests that a cache answers, once it is full.

        Args:
            rate: Requests a second, for all keys.
            entries: That it has room for.
            ttl: Seconds after which an entry ends.
        """
        if entries <= 0 or rate <= 0:
            return 0.0
        rates = self.share * rate
        aged = np.ones_like(rates) if np.isinf(ttl) else rates * ttl / (1 + rates * ttl)
        if entries >= float(self.keys @ aged):
            return float((self.share * self.keys) @ aged)
        low, high = 0.0, self.count / rate * 1e6
        for _ in range(100):
            time = (low + high) / 2
            held = float(self.keys @ np.minimum(aged, -np.expm1(-rates * time)))
            low, high = (time, high) if held < entries else (low, time)
        found = np.minimum(aged, -np.expm1(-rates * low))
        return float((self.share * self.keys) @ found)
