"""A transformers model with a head on the whole text: classes, or one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.graphs.classes import (
    LABEL,
    PROBABILITIES,
    SCORE,
    Activation,
    append_classes,
    append_score,
)
from tritonkit.export.sources.source import Answers
from tritonkit.export.sources.texts.encoder import encode_with_torch
from tritonkit.export.sources.texts.text import TextSource

__all__ = ["TextClassifier", "TextScorer"]


@dataclass(frozen=True, kw_only=True)
class TextClassifier(TextSource):
    """
    Text to `label`, a string, and `probabilities`, FP32 (classes,).

    Args:
        classes: Their names.
        activation: "softmax", or "sigmoid" where several classes can hold at once.
    """

    classes: tuple[str, ...]
    activation: Activation

    kind = "transformers text-classification"
    role = "classifier"
    comparison = "classes"
    judged = PROBABILITIES
    task = "text-classification"

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.classes

    def answer_with_torch(self, texts: Sequence[str]) -> Answers:
        """Probabilities and the most probable class of each text."""
        probabilities = _scores(self, self.activation, texts)
        best = [np.array([self.classes[row.argmax()]], dtype=np.object_) for row in probabilities]
        return {LABEL: best, PROBABILITIES: probabilities}

    def finish(self, model: Any) -> Any:
        """Append the activation and the names."""
        return append_classes(model, self.classes, activation=self.activation)


@dataclass(frozen=True, kw_only=True)
class TextScorer(TextSource):
    """
    Text to `score`, FP32 (1,): a model with one output.

    Args:
        activation: "sigmoid", or "none" for a regression.
    """

    activation: Activation

    kind = "transformers text-classification with one output"
    role = "scorer"
    comparison = "values"
    judged = SCORE
    task = "text-classification"

    def answer_with_torch(self, texts: Sequence[str]) -> Answers:
        """The score of each text."""
        return {SCORE: _scores(self, self.activation, texts)}

    def finish(self, model: Any) -> Any:
        """Append the activation."""
        return append_score(model, activation=self.activation)


def _scores(
    source: TextSource, activation: Activation, texts: Sequence[str]
) -> list[NDArray[np.float32]]:
    scores: list[NDArray[np.float32]] = []
    for outputs, _ in encode_with_torch(source, "AutoModelForSequenceClassification", texts):
        logits = outputs.logits
        if activation == "softmax":
            logits = logits.softmax(dim=-1)
        elif activation == "sigmoid":
            logits = logits.sigmoid()
        scores.extend(logits.numpy())
    return scores
