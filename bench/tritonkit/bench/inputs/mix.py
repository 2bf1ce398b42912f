"""Several models in one load."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.inputs.workload import Item, Order, Workload
from tritonkit.errors import ConfigError

__all__ = ["Mixed", "mixed", "parse_mix"]

_CHUNK = 4096
_STREAM = 3
"""Sets the draws of models apart from those of a model's own requests."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """
    An `Order` over the items of several models, which stand one model after the other.

    Each request is of a model that is drawn by the shares; which item of that model
    it is, the model's own order says.

    Args:
        counts: Items of each model.
        orders: Of each model.
        shares: Of each model, in proportion.
    """

    counts: tuple[int, ...]
    orders: tuple[Order, ...]
    shares: tuple[float, ...]

    def __call__(self, items: int, seed: int) -> Iterator[NDArray[np.int64]]:
        """Which item comes when; *items* is the sum of the counts."""
        rng = np.random.default_rng((seed, _STREAM))
        bounds = np.cumsum(self.shares) / np.sum(self.shares)
        bounds[-1] = 1
        starts = np.cumsum((0, *self.counts[:-1]))
        own = [
            _Taken(order(count, seed))
            for count, order in zip(self.counts, self.orders, strict=True)
        ]
        while True:
            models = np.searchsorted(bounds, rng.random(_CHUNK), side="right")
            chunk = np.empty(_CHUNK, dtype=np.int64)
            for model, (start, taken) in enumerate(zip(starts, own, strict=True)):
                places = np.flatnonzero(models == model)
                chunk[places] = start + taken.take(len(places))
            yield chunk


class _Taken:
    """Any number of indices at a time from an endless iterator of chunks."""

    def __init__(self, chunks: Iterator[NDArray[np.int64]]) -> None:
        self._chunks = chunks
        self._rest: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def take(self, count: int) -> NDArray[np.int64]:
        parts = [self._rest]
        size = len(self._rest)
        while size < count:
            parts.append(next(self._chunks))
            size += len(parts[-1])
        together = np.concatenate(parts)
        self._rest = together[count:]
        return together[:count]


def mixed(parts: Mapping[str, Workload], shares: Mapping[str, float]) -> Workload:
    """
    One workload of several models' workloads.

    Args:
        parts: By name of the model, which their items get.
        shares: Of the same models, in proportion.

    Raises:
        ConfigError: If a model has no share, or a share no model.
    """
    if lacking := parts.keys() ^ shares.keys():
        raise ConfigError(f"model {min(lacking)!r} needs both requests and a share of the mix.")
    together: Sequence[Item] = [
        replace(item, model=model) for model, part in parts.items() for item in part.items
    ]
    total = sum(shares.values())
    return Workload(
        items=together,
        order=Mixed(
            tuple(len(part.items) for part in parts.values()),
            tuple(part.order for part in parts.values()),
            tuple(shares[model] for model in parts),
        ),
        description={
            f"{model}: {name}": text
            for model, part in parts.items()
            for name, text in part.description.items()
        },
        popularity="; ".join(
            f"{model} {shares[model] / total:.3g}, {part.popularity}"
            for model, part in parts.items()
        ),
    )


def parse_mix(text: str) -> dict[str, float]:
    """
    Read "embed=3,rerank=1".

    Raises:
        ConfigError: If it is not models with their shares.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = part.strip().rpartition("=")
        try:
            share = float(value)
        except ValueError:
            share = math.nan
        if not name or not equals or not 0 < share < math.inf:
            raise ConfigError(
                f"a mix is MODEL=SHARE,... such as embed=3,rerank=1, with shares above 0, "
                f"but got {part.strip()!r}."
            )
        if name in shares:
            raise ConfigError(f"model {name!r} is twice in the mix {text!r}.")
        shares[name] = share
    return shares
