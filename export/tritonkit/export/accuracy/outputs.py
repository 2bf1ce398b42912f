"""The difference of each output from the source's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ExportError
from tritonkit.export.accuracy.accuracy import OutputDifference
from tritonkit.export.accuracy.cosine import row_cosines
from tritonkit.export.accuracy.elements import differences, differing, is_numeric
from tritonkit.export.sources.source import Answers

__all__ = ["check_shapes", "output_differences", "share_equal"]


def check_shapes(reference: Answers, answers: Answers) -> None:
    """
    See that *answers* have every output of the source, in the source's shapes.

    Raises:
        ExportError: If they do not; they cannot be compared, and the graph is wrong.
    """
    for name, rows in reference.items():
        if name not in answers:
            raise ExportError(
                f"the graph has no output {name!r}, which the source has; "
                f"it has {', '.join(sorted(answers)) or 'none'}."
            )
        if len(answers[name]) != len(rows):
            raise ExportError(
                f"output {name!r}: the graph gave {len(answers[name])} answers "
                f"to {len(rows)} samples."
            )
        for position, (right, given) in enumerate(zip(rows, answers[name], strict=True)):
            if right.shape != given.shape:
                raise ExportError(
                    f"output {name!r}, sample {position}: the graph's answer has shape "
                    f"{list(given.shape)}, the source's {list(right.shape)}."
                )
        if is_numeric(rows) != is_numeric(answers[name]):
            raise ExportError(
                f"output {name!r}: the graph gives {answers[name][0].dtype}, "
                f"the source {rows[0].dtype}."
            )


def output_differences(reference: Answers, answers: Answers) -> dict[str, OutputDifference]:
    """Each numeric output of *reference* against the same of *answers*."""
    return {
        name: _difference(rows, answers[name])
        for name, rows in reference.items()
        if is_numeric(rows)
    }


def share_equal(reference: Sequence[NDArray[Any]], answers: Sequence[NDArray[Any]]) -> float:
    """Share of samples whose answers are the same in every element, such as labels."""
    return float(np.mean([np.array_equal(a, b) for a, b in zip(reference, answers, strict=True)]))


def _difference(
    reference: Sequence[NDArray[Any]], answers: Sequence[NDArray[Any]]
) -> OutputDifference:
    pairs = list(zip(reference, answers, strict=True))
    between = np.concatenate([differences(a, b) for a, b in pairs])
    cosines = row_cosines(reference, answers)
    mean = _mean(between)
    sizes = np.concatenate([np.abs(row[np.isfinite(row)], dtype=np.float64) for row in reference])
    size = _mean(sizes)
    return OutputDifference(
        max_difference=float(between.max(initial=0.0)),
        mean_difference=mean,
        relative_difference=mean / size if size else mean,
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
        not_finite=sum(bool(differing(a, b).any()) for a, b in pairs),
    )


def _mean(values: NDArray[np.float64]) -> float:
    """Of what is not negative, by its largest value, so that no sum overflows; 0 of nothing."""
    largest = float(values.max(initial=0.0))
    if not 0.0 < largest < np.inf:
        return largest
    return largest * float((values / largest).mean())
