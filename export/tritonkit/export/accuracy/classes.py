"""Classes: the most probable one, and how probable it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.accuracy.cosine import row_cosines
from tritonkit.export.accuracy.elements import differences
from tritonkit.export.accuracy.judge import Judge, Rows, Task
from tritonkit.export.accuracy.labels import class_indices
from tritonkit.export.accuracy.rank import area_under_curve
from tritonkit.export.samples.samples import Samples

__all__ = ["Classes", "same_class"]

_TIE = 1e-6
"""Probabilities this close are equal but for rounding."""


class Classes(Judge):
    """Judges a probability for each class, or that of the second of two."""

    score = "probability of the source's class"

    def agreement(
        self, reference: Rows, answers: Rows, samples: Samples | None = None
    ) -> NDArray[np.float64]:
        """Whether the most probable class is the source's."""
        del samples
        return same_class(_probabilities(reference), _probabilities(answers)).astype(np.float64)

    def scores(self, reference: Rows, answers: Rows) -> NDArray[np.float64]:
        """What the model gives the class that the source finds most probable."""
        best = _probabilities(reference).argmax(axis=1)
        scores: NDArray[np.float64] = _probabilities(answers)[np.arange(len(best)), best]
        return scores

    def cosines(self, reference: Rows, answers: Rows) -> NDArray[np.float64]:
        """Of the probabilities."""
        return row_cosines(_rows(reference), _rows(answers))

    def task(
        self, reference: Rows, answers: Rows, samples: Samples, classes: Sequence[str]
    ) -> Task:
        """Accuracy and AUC where labels are known, else agreement with the source."""
        right, given = _probabilities(reference), _probabilities(answers)
        largest = [differences(a, b).max(initial=0.0) for a, b in zip(right, given, strict=True)]
        figures = {"largest difference of a probability": float(max(largest))}
        if samples.labels is None:
            agreement = float(same_class(right, given).mean())
            return Task(metric="agreement", value=agreement, source_value=1.0, figures=figures)
        labels = class_indices(samples.labels, classes, right.shape[1])
        for side, rows in (("", given), (" of the source", right)):
            area = _area(labels, rows)
            if area is not None:
                figures[f"AUC{side}"] = area
        return Task(
            metric="accuracy",
            value=float((given.argmax(axis=1) == labels).mean()),
            source_value=float((right.argmax(axis=1) == labels).mean()),
            figures=figures,
        )

    def detail(self, reference: NDArray[Any], answer: NDArray[Any], classes: Sequence[str]) -> str:
        """The model's class, and the source's where it is another."""
        right, given = (int(_probabilities([row])[0].argmax()) for row in (reference, answer))
        names = [classes[at] if at < len(classes) else f"class {at}" for at in (given, right)]
        return names[0] if given == right else f"{names[0]}, not {names[1]}"


def _probabilities(rows: Rows) -> NDArray[np.float64]:
    """*rows* as shape (samples, classes); those of a second class alone as of two; NaN as 0."""
    return np.nan_to_num(np.stack(_rows(rows)))


def same_class(right: NDArray[np.float64], given: NDArray[np.float64]) -> NDArray[np.bool_]:
    """
    Whether the most probable class is the source's, shape (rows,).

    One that the source finds as probable as its own most probable is the same.

    Args:
        right: The source's probabilities, shape (rows, classes).
        given: The model's.
    """
    chosen = np.take_along_axis(right, given.argmax(axis=1)[:, None], axis=1)[:, 0]
    result: NDArray[np.bool_] = chosen >= right.max(axis=1) - _TIE
    return result


def _rows(rows: Rows) -> list[NDArray[np.float64]]:
    flat = [row.astype(np.float64).ravel() for row in rows]
    return [np.array([1 - row[0], row[0]]) if len(row) == 1 else row for row in flat]


def _area(labels: NDArray[np.int64], rows: NDArray[np.float64]) -> float | None:
    """AUC of the second of two classes; the mean of each against the rest of more."""
    judged = [1] if rows.shape[1] == 2 else range(rows.shape[1])
    areas = [
        area_under_curve(labels == at, rows[:, at])
        for at in judged
        if 0 < (labels == at).sum() < len(labels)
    ]
    return float(np.mean(areas)) if areas else None
