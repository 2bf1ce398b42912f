"""Numbers: how far they are from the source's, beside how far those are from each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.accuracy.elements import differing
from tritonkit.export.accuracy.judge import Judge, Rows, Task
from tritonkit.export.samples.samples import Samples

__all__ = ["Values"]

_SAME = 0.01
"""Values that agree to this share look the same to users."""


class Values(Judge):
    """
    Judges numbers.

    A relative difference is to the value itself or to the typical one, the median of
    all samples, whichever is larger: a value near 0 is no reason for alarm.
    """

    score = "1 - relative difference"

    def agreement(
        self, reference: Rows, answers: Rows, samples: Samples | None = None
    ) -> NDArray[np.float64]:
        """Whether all values of a sample are within 1 % of the source's."""
        del samples
        return (_relative(reference, answers) <= _SAME).astype(np.float64)

    def scores(self, reference: Rows, answers: Rows) -> NDArray[np.float64]:
        """1 less the largest relative difference; 0 at the least."""
        return np.clip(1.0 - _relative(reference, answers), 0.0, 1.0)

    def task(
        self, reference: Rows, answers: Rows, samples: Samples, classes: Sequence[str]
    ) -> Task:
        """R² against the labels where known, else against the source's values."""
        del classes
        relative = _relative(reference, answers)
        figures = {
            "mean relative difference": float(np.minimum(relative, 1.0).mean()),
            "largest relative difference": float(np.minimum(relative, 1.0).max()),
        }
        if samples.labels is None:
            value = _determination(reference, answers)
            return Task(metric="R²", value=value, source_value=1.0, figures=figures)
        labels = _numbers(samples.labels, reference)
        figures["R² to the source"] = _determination(reference, answers)
        return Task(
            metric="R²",
            value=_determination(labels, answers),
            source_value=_determination(labels, reference),
            figures=figures,
        )

    def detail(self, reference: NDArray[Any], answer: NDArray[Any], classes: Sequence[str]) -> str:
        """The two values, where there is one each."""
        del classes
        if answer.size != 1:
            return ""
        return f"{answer.item():.6g}, not {reference.item():.6g}"


def _relative(reference: Rows, answers: Rows) -> NDArray[np.float64]:
    """The largest relative difference of each sample; infinite where one is not finite."""
    finite = [np.abs(row[np.isfinite(row)].astype(np.float64)).ravel() for row in reference]
    typical = float(np.median(np.concatenate(finite))) if any(map(len, finite)) else 0.0
    return np.array(
        [_largest(right, given, typical) for right, given in zip(reference, answers, strict=True)]
    )


def _largest(reference: NDArray[Any], answer: NDArray[Any], typical: float) -> float:
    if differing(reference, answer).any():
        return np.inf
    kept = np.isfinite(reference)
    right, given = reference[kept].astype(np.float64), answer[kept].astype(np.float64)
    scale = np.maximum(np.abs(right), typical)
    off = np.abs(given - right)
    relative = np.divide(off, scale, out=np.where(off > 0, np.inf, 0.0), where=scale > 0)
    return float(relative.max(initial=0.0))


def _numbers(labels: NDArray[Any], reference: Rows) -> Rows:
    """Labels as answers."""
    sizes = {row.size for row in reference}
    if sizes != {1}:
        raise ConfigError(
            f"a label for each sample cannot be compared with answers of {max(sizes)} values: "
            "leave out the labels."
        )
    if labels.dtype.kind not in "biuf":
        raise ConfigError(
            f"the labels of a model that answers numbers must be numbers, "
            f"but got {labels.tolist()[0]!r}."
        )
    return [np.full(row.shape, label) for row, label in zip(reference, labels, strict=True)]


def _determination(right: Rows, given: Rows) -> float:
    """
    R²: 1 less the squared differences beside those to the mean; at most 1.

    Elements that are not finite are left out. Where all of *right* are equal it is 1
    if *given* are too, else 0.
    """
    one, other = (
        np.concatenate([row.astype(np.float64).ravel() for row in rows]) for rows in (right, given)
    )
    kept = np.isfinite(one) & np.isfinite(other)
    one, other = one[kept], other[kept]
    largest = np.abs(one).max(initial=0.0)
    if largest > 0:
        one, other = one / largest, other / largest
    rest = float(((one - other) ** 2).sum())
    spread = float(((one - one.mean()) ** 2).sum()) if len(one) else 0.0
    if spread == 0:
        return float(np.allclose(one, other, rtol=1e-5, atol=1e-7))
    return 1.0 - rest / spread
