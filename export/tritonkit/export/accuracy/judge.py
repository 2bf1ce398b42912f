"""What it takes to judge answers of one kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.accuracy.cosine import row_cosines
from tritonkit.export.samples.samples import Samples

__all__ = ["Judge", "Rows", "Task"]

Rows = Sequence[NDArray[Any]]
"""The judged output: one array for each sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    How well the task is done.

    Args:
        metric: Its name.
        value: The model's; higher is better.
        source_value: The source's.
        figures: Further figures by name.
    """

    metric: str
    value: float
    source_value: float
    figures: Mapping[str, float] = field(default_factory=dict)


class Judge(ABC):
    """
    Judges answers of one kind against the source's; without state.

    Rows of *answers* have the shapes of those of *reference*.
    """

    score: str
    """What `scores` gives, in words."""

    @abstractmethod
    def agreement(
        self, reference: Rows, answers: Rows, samples: Samples | None = None
    ) -> NDArray[np.float64]:
        """
        1 where users see the same answer, 0 where not, or a share of 1.

        For each sample; for each that has a match where *samples* are given with matches.
        """

    @abstractmethod
    def scores(self, reference: Rows, answers: Rows) -> NDArray[np.float64]:
        """For each sample how far the answer agrees with the source's; finite."""

    def cosines(self, reference: Rows, answers: Rows) -> NDArray[np.float64]:
        """Cosine of each answer, flattened, with the source's, shape (samples,)."""
        return row_cosines(reference, answers)

    @abstractmethod
    def task(
        self, reference: Rows, answers: Rows, samples: Samples, classes: Sequence[str]
    ) -> Task:
        """
        The task's metric over *samples*, none of which is an extreme.

        Args:
            reference: The source's answers.
            answers: The model's.
            samples: With labels or matches where the right answers are known.
            classes: Names of the classes; empty where there are none.

        Raises:
            ConfigError: If a label is none of the model's.
        """

    def detail(self, reference: NDArray[Any], answer: NDArray[Any], classes: Sequence[str]) -> str:
        """What the two say of one sample; empty where that cannot be put in words."""
        del reference, answer, classes
        return ""
