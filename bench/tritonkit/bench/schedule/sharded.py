"""One share of a schedule that several machines send together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.load.share import Share
from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.constant import Constant

__all__ = ["Sharded"]

_SPLIT = 0x5348
"""Keeps the draws that split a schedule apart from those that made it."""


@dataclass(frozen=True, slots=True)
class Sharded(Arrivals):
    """
    The arrivals of one of several machines; those of all are the whole schedule, each once.

    Constant arrivals are taken in turn, so that each share is constant. All others are split
    at random, by the seed: shares of Poisson arrivals are Poisson arrivals that know nothing
    of each other, so that machines that do not begin at the same microsecond still send
    Poisson arrivals together.

    Args:
        whole: The schedule.
        share: Which share of it.
    """

    whole: Arrivals
    share: Share

    @property
    def rate(self) -> float:
        """Mean arrivals a second, of this share."""
        return self.whole.rate / self.share.of

    @property
    def end_ns(self) -> int | None:
        """That of the whole, so that the windows of all shares end together."""
        return self.whole.end_ns

    def offsets(self, seed: int) -> Iterator[NDArray[np.int64]]:
        """This share of the schedule of that seed."""
        chunks = self.whole.offsets(seed)
        if isinstance(self.whole, Constant):
            yield from self.share.thinned(chunks)
            return
        random = np.random.default_rng((seed, _SPLIT))
        for chunk in chunks:
            mine = chunk[random.integers(0, self.share.of, len(chunk)) == self.share.number]
            if len(mine):
                yield mine

    def describe(self) -> Mapping[str, Any]:
        """That of the whole with this share's rate; the same for all shares."""
        return {
            **self.whole.describe(),
            "rate": self.rate,
            "shards": self.share.of,
            "whole": str(self.whole),
        }

    def __str__(self) -> str:
        return f"{self.rate:g}/s of {self.whole}"
