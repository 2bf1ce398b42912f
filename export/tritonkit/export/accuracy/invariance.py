"""Whether an answer depends on what else is in its batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.accuracy.accuracy import BatchDependence
from tritonkit.export.accuracy.elements import differences, differing, is_numeric
from tritonkit.export.accuracy.judge import Judge, Rows
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Answers, Source

__all__ = ["ROUNDING", "batch_dependence"]

ROUNDING = 2e-3
"""
The largest difference that is rounding, beside the largest element of an answer.

onnxruntime adds up in another order for another batch, and padding changes it too. Of
all-MiniLM-L6-v2 on a CPU it was 6.4e-7 in fp32, 4.5e-7 in w4, 3.6e-7 in w8 and 6.4e-4 in
fp16; dynamic int8, which does depend on its batch, had 0.25.
"""

_MOST = 48
_SIZE, _LARGE = 8, 32
"""Rows of a batch. Kernels may compute many rows in another way than a few."""


def batch_dependence(
    source: Source, network: Network, samples: Samples, judge: Judge
) -> BatchDependence:
    """
    Ask samples alone, then short ones with long ones, in eights, and 32 at once.

    At most 48 are asked: extremes, and others evenly spaced. The 32 are the shortest that
    are no extremes: padding was the matter of the pairs, and would be most of the work.

    Args:
        source: Whose outputs they are.
        network: What to judge.
        samples: With extremes.
        judge: Says which answers look the same to users.
    """
    asked = _asked(samples)
    some = samples.take(asked)
    alone = network.answer_batches(some, ([at] for at in range(len(some))))
    own, theirs = [], []
    for batches in _companies(source, some, int((asked < samples.judged).sum())):
        places = sorted(at for batch in batches for at in batch)
        own.append({name: [rows[at] for at in places] for name, rows in alone.items()})
        theirs.append(network.answer_batches(some, batches))
    judged = [(a[source.judged], b[source.judged]) for a, b in zip(own, theirs, strict=True)]
    return BatchDependence(
        cosine_min=min(float(judge.cosines(*pair).min()) for pair in judged),
        max_difference=max(_largest_difference(*pair) for pair in judged),
        # Both ways: who cannot decide alone agrees with everybody.
        agreement=min(
            float(judge.agreement(*pair).mean()) for a, b in judged for pair in ((a, b), (b, a))
        ),
        invariant=all(_same(a, b) for a, b in zip(own, theirs, strict=True)),
    )


def _companies(source: Source, samples: Samples, without_extremes: int) -> list[list[list[int]]]:
    """Ways to ask *samples*, each in batches of positions; the extremes are the last ones."""
    every = range(len(samples))
    if not source.batched:
        return [[[at] for at in every]]
    shuffled = np.random.default_rng(0).permutation(len(samples)).tolist()
    large = np.argsort(samples.sizes[:without_extremes], kind="stable")[:_LARGE].tolist()
    return [
        *(
            [order[start : start + size] for start in every[::size]]
            for order, size in ((_short_with_long(samples), 2), (shuffled, _SIZE))
        ),
        [large],
    ]


def _asked(samples: Samples) -> NDArray[np.int64]:
    extremes = np.arange(samples.judged, len(samples))[: _MOST // 2]
    count = min(samples.judged, _MOST - len(extremes))
    others = np.linspace(0, samples.judged - 1, count).astype(np.int64)
    return np.concatenate([others, extremes])


def _short_with_long(samples: Samples) -> list[int]:
    """Positions: the shortest and the longest, the next of both, and so on."""
    order = np.argsort(samples.sizes, kind="stable")
    paired = np.empty_like(order)
    paired[::2], paired[1::2] = order[: len(order[::2])], order[::-1][: len(order[1::2])]
    positions: list[int] = paired.tolist()
    return positions


def _largest_difference(alone: Rows, company: Rows) -> float:
    if not is_numeric(alone):
        return 0.0
    pairs = zip(alone, company, strict=True)
    return max(float(differences(a, b).max(initial=0.0)) for a, b in pairs)


def _same(alone: Answers, company: Answers) -> bool:
    """Whether all outputs are equal but for rounding; those that are no numbers, equal."""
    return all(
        _close(rows, company[name])
        if is_numeric(rows) and rows[0].dtype.kind == "f"
        else all(np.array_equal(a, b) for a, b in zip(rows, company[name], strict=True))
        for name, rows in alone.items()
    )


def _close(alone: Rows, company: Rows) -> bool:
    largest = [float(np.abs(row[np.isfinite(row)]).max(initial=0.0)) for row in alone]
    typical = float(np.median(largest))
    return all(
        a.shape == b.shape
        and not differing(a, b).any()
        and differences(a, b).max(initial=0.0) <= ROUNDING * max(typical, scale)
        for a, b, scale in zip(alone, company, largest, strict=True)
    )
