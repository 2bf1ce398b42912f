"""One number for how far answers are apart, fine enough to rank small changes."""

from __future__ import annotations

import numpy as np

from tritonkit.export.accuracy.cosine import row_cosines
from tritonkit.export.accuracy.elements import differences, differing, is_numeric
from tritonkit.export.accuracy.outputs import check_shapes, share_equal
from tritonkit.export.sources.source import Answers, Source

__all__ = ["distance"]


def distance(source: Source, reference: Answers, answers: Answers) -> float:
    """
    How far *answers* are from *reference*: 0 for the same, larger for worse.

    Of embeddings it is 1 less the mean cosine. Else it is the root mean square of the
    differences beside that of the values: of the judged output where it is numbers, or
    of all outputs that are, such as the scores beside a list of words. Where none is
    numbers, it is the share of samples that differ. An element that is not finite in
    one of the two makes it infinite.

    Raises:
        ExportError: If *answers* lack an output or have other shapes.
    """
    check_shapes(reference, answers)
    if source.comparison == "embeddings":
        right, given = reference[source.judged], answers[source.judged]
        if any(differing(a, b).any() for a, b in zip(right, given, strict=True)):
            return float("inf")
        return float(1.0 - row_cosines(right, given).mean())
    if is_numeric(reference[source.judged]):
        names = [source.judged]
    else:
        names = [name for name, rows in reference.items() if is_numeric(rows)]
    if not names:
        return 1.0 - share_equal(reference[source.judged], answers[source.judged])
    return max(_relative(reference, answers, name) for name in names)


def _relative(reference: Answers, answers: Answers, name: str) -> float:
    pairs = list(zip(reference[name], answers[name], strict=True))
    if any(differing(a, b).any() for a, b in pairs):
        return float("inf")
    apart = np.concatenate([differences(a, b) for a, b in pairs])
    sizes = np.concatenate([differences(a, np.zeros_like(a)) for a, _ in pairs])
    largest = sizes.max(initial=0.0)
    if largest == 0:
        return float("inf") if apart.any() else 0.0
    return float(np.sqrt(((apart / largest) ** 2).sum() / ((sizes / largest) ** 2).sum()))
