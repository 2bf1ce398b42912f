"""A transformers model with a head on each token: text to labelled spans of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.export import spans as spans_package
from tritonkit.export.graphs.token_classes import TOKEN_PROBABILITIES, append_token_classes
from tritonkit.export.sources.source import Answers, Feeds, Part
from tritonkit.export.sources.texts.encoder import encode_with_torch
from tritonkit.export.sources.texts.text import OFFSETS, TEXT, TextSource, unpadded
from tritonkit.repository import Tensor

__all__ = ["TokenClassifier"]


@dataclass(frozen=True, kw_only=True)
class TokenClassifier(TextSource):
    """
    Text to `spans`: a JSON list of objects with start, end, label, score and text.

    Args:
        classes: Their names, such as "B-PER".
    """

    classes: tuple[str, ...]

    kind = "transformers token-classification"
    role = "classifier"
    comparison = "token_classes"
    judged = TOKEN_PROBABILITIES
    task = "token-classification"
    with_offsets = True

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.classes

    @property
    def after(self) -> Part:
        """What joins tokens to spans."""
        here = Path(spans_package.__file__).parent
        return Part(
            role="spans",
            inputs=(
                TEXT,
                OFFSETS,
                Tensor(TOKEN_PROBABILITIES, "TYPE_FP32", (-1, len(self.classes))),
            ),
            outputs=(Tensor("spans", "TYPE_STRING", (1,)),),
            files={"model.py": here / "model.py", "aggregate.py": here / "aggregate.py"},
            parameters={"labels": json.dumps(self.classes, ensure_ascii=False)},
        )

    def answer_with_torch(self, texts: Sequence[str]) -> Answers:
        """The probabilities of each text's tokens, without padding."""
        rows: list[NDArray[np.float32]] = []
        for outputs, inputs in encode_with_torch(self, "AutoModelForTokenClassification", texts):
            probabilities = outputs.logits.softmax(dim=-1).numpy()
            rows += unpadded(probabilities, inputs["attention_mask"].numpy())
        return {TOKEN_PROBABILITIES: rows}

    def finish(self, model: Any) -> Any:
        """Append the softmax."""
        return append_token_classes(model, len(self.classes))

    def rows(self, feeds: Feeds, outputs: Mapping[str, NDArray[Any]]) -> Answers:
        """Each text's own tokens."""
        mask = feeds["attention_mask"]
        return {name: unpadded(output, mask) for name, output in outputs.items()}
