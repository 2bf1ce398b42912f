"""How often each request comes: in turn, uniform, by Zipf's law, or a hot set."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.inputs.workload import in_turn
from tritonkit.errors import ConfigError
from tritonkit.units import parse_share

__all__ = ["HotSet", "InTurn", "Popularity", "Uniform", "Zipf", "parse_popularity"]

_CHUNK = 4096
"""Draws at a time: numpy's overhead is spread over them."""

_STREAM = 1
"""Sets these draws apart from others of the same seed, as those of the inputs."""


class Popularity(ABC):
    """An `Order`: endless indices of items, in chunks, the same for the same seed."""

    def __call__(self, items: int, seed: int) -> Iterator[NDArray[np.int64]]:
        """Which item comes when."""
        rng = np.random.default_rng((seed, _STREAM))
        # Divided by the last bound rather than the sum, so that it is 1 exactly.
        bounds = np.cumsum(self._weights(items))
        bounds /= bounds[-1]
        while True:
            yield np.searchsorted(bounds, rng.random(_CHUNK), side="right").astype(np.int64)

    def probabilities(self, items: int) -> NDArray[np.float64]:
        """The share of the requests that each item has, shape (items,), sums to 1."""
        weights = self._weights(items)
        return np.asarray(weights / weights.sum())

    @abstractmethod
    def _weights(self, items: int) -> NDArray[np.float64]:
        """In proportion to the probabilities."""


@dataclass(frozen=True, slots=True)
class InTurn(Popularity):
    """Each after the other, again and again."""

    def __call__(self, items: int, seed: int) -> Iterator[NDArray[np.int64]]:
        """Which item comes when; nothing is drawn."""
        return in_turn(items, seed)

    def _weights(self, items: int) -> NDArray[np.float64]:
        return np.ones(items)

    def __str__(self) -> str:
        return "in turn"


@dataclass(frozen=True, slots=True)
class Uniform(Popularity):
    """Each as often as the others, in no order."""

    def _weights(self, items: int) -> NDArray[np.float64]:
        return np.ones(items)

    def __str__(self) -> str:
        return "uniform"


@dataclass(frozen=True, slots=True)
class Zipf(Popularity):
    """
    The item of rank r comes in proportion to 1 / r^s; the first item has rank 1.

    Args:
        s: The exponent, 0 or more: 0 is uniform, 1 is what words and web pages are near.
    """

    s: float

    def __post_init__(self) -> None:
        if not 0 <= self.s < math.inf:
            raise ConfigError(
                f"the exponent of Zipf's law must be finite and not negative, but got {self.s}."
            )

    def _weights(self, items: int) -> NDArray[np.float64]:
        return np.arange(1, items + 1, dtype=np.float64) ** -self.s

    def __str__(self) -> str:
        return f"Zipf, s = {self.s:g}"


@dataclass(frozen=True, slots=True)
class HotSet(Popularity):
    """
    A share of the traffic goes to a share of the items, the first ones.

    Args:
        traffic: The share of the requests that the hot items get, 0 to 1.
        items: The share of the items that are hot, above 0; at least one item is.
    """

    traffic: float
    items: float

    def __post_init__(self) -> None:
        if not 0 <= self.traffic <= 1:
            raise ConfigError(f"the traffic of a hot set must be 0 to 1, but got {self.traffic}.")
        if not 0 < self.items <= 1:
            raise ConfigError(
                f"the items of a hot set must be above 0 and at most 1, but got {self.items}."
            )

    def _weights(self, items: int) -> NDArray[np.float64]:
        hot = min(items, max(1, round(self.items * items)))
        cold = items - hot
        if not cold:
            return np.ones(items)
        return np.repeat([self.traffic / hot, (1 - self.traffic) / cold], [hot, cold])

    def __str__(self) -> str:
        return f"hot set, {self.traffic:.3g} of the traffic to {self.items:.3g} of the requests"


def parse_popularity(text: str) -> Popularity:
    """
    Read "in-turn", "uniform", "zipf:1.0" or "hot:0.9/0.1".

    Raises:
        ConfigError: If it is none of them.
    """
    kind, colon, value = text.strip().partition(":")
    if kind == "in-turn" and not colon:
        return InTurn()
    if kind == "uniform" and not colon:
        return Uniform()
    if kind == "zipf":
        try:
            s = float(value)
        except ValueError as error:
            raise ConfigError(
                f"zipf needs its exponent, such as zipf:1.0, but got {text!r}."
            ) from error
        return Zipf(s)
    if kind == "hot":
        traffic, slash, items = value.partition("/")
        if not slash:
            raise ConfigError(
                f"hot needs the share of the traffic and that of the requests, such as "
                f"hot:0.9/0.1, but got {text!r}."
            )
        return HotSet(
            parse_share(traffic, name="the traffic of a hot set"),
            parse_share(items, name="the items of a hot set"),
        )
    raise ConfigError(f"popularity is in-turn, uniform, zipf:1.0 or hot:0.9/0.1, but got {text!r}.")
