"""Ranked lists: what comes first, and what is on them at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.accuracy.judge import Judge, Rows, Task
from tritonkit.export.samples.samples import Samples

__all__ = ["Ranks"]


class Ranks(Judge):
    """
    Judges lists of strings or ids, best first, along the last axis.

    A sample may have several lists, one for each mask.
    """

    score = "overlap with the source's list"

    def agreement(
        self, reference: Rows, answers: Rows, samples: Samples | None = None
    ) -> NDArray[np.float64]:
        """Share of a sample's lists that start as the source's do; 1 without lists."""
        del samples
        return np.array(
            [
                np.mean([float(a[0] == b[0]) for a, b in _lists(right, given)] or [1.0])
                for right, given in zip(reference, answers, strict=True)
            ],
            np.float64,
        )

    def scores(self, reference: Rows, answers: Rows) -> NDArray[np.float64]:
        """The overlap."""
        return self.cosines(reference, answers)

    def cosines(self, reference: Rows, answers: Rows) -> NDArray[np.float64]:
        """Of the lists as sets: the share that both have."""
        return np.array(
            [
                np.mean([_overlap(a, b) for a, b in _lists(right, given)] or [1.0])
                for right, given in zip(reference, answers, strict=True)
            ],
            np.float64,
        )

    def task(
        self, reference: Rows, answers: Rows, samples: Samples, classes: Sequence[str]
    ) -> Task:
        """Accuracy of what comes first where labels are known, else its agreement."""
        del classes
        longest = max((row.shape[-1] for row in reference if row.size), default=0)
        overlap = float(self.cosines(reference, answers).mean())
        figures = {f"top-{longest} overlap": overlap}
        if samples.labels is None:
            agreement = float(self.agreement(reference, answers).mean())
            return Task(
                metric="first-rank agreement", value=agreement, source_value=1.0, figures=figures
            )
        labels = [str(label) for label in samples.labels.tolist()]
        value, source_value = (
            float(np.mean([_first(row) == label for row, label in zip(rows, labels, strict=True)]))
            for rows in (answers, reference)
        )
        return Task(metric="accuracy", value=value, source_value=source_value, figures=figures)

    def detail(self, reference: NDArray[Any], answer: NDArray[Any], classes: Sequence[str]) -> str:
        """What comes first, and what does by the source where that is another."""
        del classes
        given, right = _first(answer), _first(reference)
        return repr(given) if given == right else f"{given!r}, not {right!r}"


def _lists(right: NDArray[Any], given: NDArray[Any]) -> list[tuple[list[str], list[str]]]:
    """The lists of one sample, in pairs."""
    if not right.size:
        return []
    pairs = (row.reshape(-1, row.shape[-1]) for row in (right, given))
    return [
        ([_word(item) for item in a], [_word(item) for item in b])
        for a, b in zip(*pairs, strict=True)
    ]


def _overlap(one: list[str], other: list[str]) -> float:
    return len(set(one) & set(other)) / max(len(set(one)), len(set(other)))


def _first(row: NDArray[Any]) -> str:
    return _word(row.ravel()[0]).strip() if row.size else ""


def _word(item: Any) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
