"""Inputs at the edge, which a user's samples seldom hold and clients send all the same."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Source
from tritonkit.extras import require

__all__ = ["with_extremes"]

_TEXTS = (
    "",
    " ",
    "?!",
    "🚀🎉🙏",
    "機械学習モデルを本番環境に展開する。",
    "هذه جملة باللغة العربية.",
    "zero\u200bwidth, combining e\u0301, tab\tand\r\nline",
    "An answer must not depend on what no longer fits into the model. " * 300,
)

_FAR = 10
"""How many times larger than any sample's a number is. Further out, fp16 ends."""


def with_extremes(source: Source, samples: Samples) -> Samples:
    """
    *samples* and, at their end, extremes of the same columns that are not among them.

    Texts: empty, blank, of other scripts, longer than any model reads; where a source
    ranks words, each follows the first sample, as there must be something to rank.
    Images: a pixel, a thin one, all black, all white. Floating-point numbers: 0 and ten
    times the largest of each sign, where the samples come on both sides of it: the
    logarithm of an amount has no 0. Whole numbers and other strings stay those of the
    first sample: they may be ids and categories.
    """
    columns = {
        name: _extremes(name, column, source.comparison == "ranks")
        for name, column in samples.columns.items()
    }
    count = max(map(len, columns.values()))
    if not count or samples.extremes:
        return samples
    firsts = {name: column[:1] for name, column in samples.columns.items()}
    extended = {
        name: np.concatenate(
            [column, columns[name], np.repeat(firsts[name], count - len(columns[name]), axis=0)]
        )
        for name, column in samples.columns.items()
    }
    labels, matches = samples.labels, samples.matches
    return Samples(
        extended,
        samples.origin,
        None if labels is None else np.concatenate([labels, np.repeat(labels[:1], count)]),
        None if matches is None else np.concatenate([matches, np.full(count, -1, np.int64)]),
        extremes=count,
    )


def _extremes(name: str, column: NDArray[Any], after_first: bool) -> NDArray[Any]:
    """Those of one column, of its type and shape; perhaps none."""
    if column.dtype.kind == "f":
        return _numbers(column)
    found: list[Any] = []
    present = set(column.flat) if column.dtype.kind == "O" else set()
    if name == "image" and all(isinstance(value, bytes) for value in present):
        found = _images()
    elif name == "text" and all(isinstance(value, str) for value in present):
        first = column.flat[0]
        texts = [f"{first} {text}" for text in _TEXTS] if after_first else list(_TEXTS)
        found = [text for text in texts if text not in present]
    extremes = np.empty(len(found), column.dtype)
    extremes[:] = found
    return extremes.reshape(-1, *(1 for _ in column.shape[1:]))


def _numbers(column: NDArray[Any]) -> NDArray[Any]:
    finite = np.isfinite(column)
    least = np.where(finite, column, np.inf).min(axis=0)
    most = np.where(finite, column, -np.inf).max(axis=0)
    least, most = (np.where(np.isfinite(side), side, 0) for side in (least, most))
    edge = np.finfo(column.dtype).max / _FAR
    rows = []
    if (least <= 0).all() and (most >= 0).all():
        rows.append(np.zeros_like(least))
    if (most > 0).any():
        rows.append(np.clip(most, -edge, edge) * _FAR)
    if (least < 0).any():
        rows.append(np.clip(least, -edge, edge) * _FAR)
    return np.stack(rows).astype(column.dtype) if rows else column[:0]


def _images() -> list[bytes]:
    images = require("PIL.Image", extra="export")
    found = []
    for mode, size, colour in (
        ("RGB", (1, 1), (200, 30, 60)),
        ("RGB", (60, 6), (30, 200, 60)),
        ("L", (64, 64), 0),
        ("RGB", (64, 64), (255, 255, 255)),
    ):
        file = io.BytesIO()
        images.new(mode, size, colour).save(file, "PNG")
        found.append(file.getvalue())
    return found
