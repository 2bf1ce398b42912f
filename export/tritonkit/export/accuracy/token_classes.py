"""Classes of tokens: the most probable one of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.accuracy.classes import same_class
from tritonkit.export.accuracy.judge import Judge, Rows, Task
from tritonkit.export.samples.samples import Samples

__all__ = ["TokenClasses"]


class TokenClasses(Judge):
    """Judges a row of classes for each token, shape (tokens, classes)."""

    score = "share of tokens with the source's class"

    def agreement(
        self, reference: Rows, answers: Rows, samples: Samples | None = None
    ) -> NDArray[np.float64]:
        """Share of tokens whose most probable class is the source's; 1 without tokens."""
        del samples
        return np.array(
            [
                same_class(np.nan_to_num(right), np.nan_to_num(given)).mean() if len(right) else 1.0
                for right, given in zip(reference, answers, strict=True)
            ]
        )

    def scores(self, reference: Rows, answers: Rows) -> NDArray[np.float64]:
        """The agreement."""
        return self.agreement(reference, answers)

    def task(
        self, reference: Rows, answers: Rows, samples: Samples, classes: Sequence[str]
    ) -> Task:
        """Agreement with the source, over the tokens of all samples."""
        del classes
        if samples.labels is not None:
            raise ConfigError(
                "a label for each sample says nothing of its tokens: leave out the labels."
            )
        shares = self.agreement(reference, answers)
        counts = np.array([len(row) for row in reference], np.float64)
        value = float(shares @ counts / counts.sum()) if counts.any() else 1.0
        return Task(metric="token agreement", value=value, source_value=1.0)

    def detail(self, reference: NDArray[Any], answer: NDArray[Any], classes: Sequence[str]) -> str:
        """How many tokens have another class."""
        del classes
        share = self.agreement([reference], [answer])[0]
        return f"{round((1 - share) * len(reference))} of {len(reference)} tokens differ"
