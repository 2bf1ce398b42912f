"""Batches that activations are calibrated on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Feeds, Source

__all__ = ["calibration_batches"]

_LONGEST = 0.9
"""The sample that all are padded to: longer ones would be padding for all others."""


def calibration_batches(
    source: Source, samples: Samples, *, rows: int = 8, count: int = 16
) -> list[Feeds]:
    """
    Batches of *samples*, all of one shape.

    Samples of many lengths are padded alike: each batch holds the same long sample,
    and others that are no longer. Extremes take no part: one number that is far out
    would widen the range of all.

    Args:
        source: Prepares the batches.
        samples: What to choose from, evenly.
        rows: Samples a batch; 1 where the source has no batch axis.
        count: The most batches. Where there are fewer samples there are fewer batches.

    Returns:
        One batch or more.
    """
    rows = rows if source.batched else 1
    wanted = min(samples.judged, rows * count)
    chosen = np.linspace(0, samples.judged - 1, wanted).astype(np.int64)
    shapes = [_shape(source.prepare(samples.take([at]))) for at in chosen]
    if len(set(shapes)) == 1:
        found = _batches(source, samples, chosen, rows, count)
        if len({_shape(batch) for batch in found}) == 1:
            return found
    if rows > 1:
        # A tokenizer pads a few texts otherwise than a batch.
        shapes = [_shape(source.prepare(samples.take([at] * rows))) for at in chosen]
    sizes = [sum(sum(axes) for _, axes in shape) for shape in shapes]
    order = np.argsort(sizes, kind="stable")
    anchor = int(order[int(_LONGEST * (len(order) - 1))])
    if rows == 1:
        alike = [at for at, shape in enumerate(shapes) if shape == shapes[anchor]]
        return _batches(source, samples, chosen[alike], 1, count)
    fitting = [at for at in order if at != anchor and _fits(shapes[at], shapes[anchor])]
    parts = [fitting[start : start + rows - 1] for start in range(0, len(fitting), rows - 1)]
    whole = [part for part in parts if len(part) == len(parts[0])] or [[]]
    return [source.prepare(samples.take(chosen[[anchor, *part]])) for part in whole[:count]]


_Shape = tuple[tuple[str, tuple[int, ...]], ...]


def _shape(feeds: Feeds) -> _Shape:
    return tuple((name, array.shape) for name, array in sorted(feeds.items()))


def _fits(shape: _Shape, within: _Shape) -> bool:
    return all(
        all(a <= b for a, b in zip(axes, most, strict=True))
        for (_, axes), (_, most) in zip(shape, within, strict=True)
    )


def _batches(
    source: Source, samples: Samples, chosen: NDArray[np.int64], rows: int, count: int
) -> list[Feeds]:
    size = min(rows, len(chosen))
    starts = range(0, len(chosen) - size + 1, size)
    return [source.prepare(samples.take(chosen[at : at + size])) for at in starts[:count]]
