"""A rule for texts that needs no training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.types import InferRequest
from tritonkit.client.wire.datatypes import datatype_of
from tritonkit.errors import ConfigError

__all__ = ["SeedRule"]


class SeedRule:
    """
    Whether a row of text is dear: long, a question, or a task that takes thought.

    Args:
        words: A text of more words is dear.
        question: Whether a question mark makes it dear.
        verbs: A word that begins with one of these makes it dear, in any case.

    Raises:
        ConfigError: If words is negative.
    """

    def __init__(
        self,
        *,
        words: int = 20,
        question: bool = True,
        verbs: Sequence[str] = ("compare", "analyse", "analyze", "explain"),
    ) -> None:
        if words < 0:
            raise ConfigError(f"words must not be negative, but got {words=}.")
        if isinstance(verbs, str):
            raise ConfigError(f"verbs must be a list of words, but got {verbs!r}.")
        self.words = words
        self.question = question
        self._verbs = tuple(verbs)
        pattern = "|".join(map(re.escape, verbs))
        self._pattern = re.compile(rf"\b(?:{pattern})", re.IGNORECASE) if verbs else None

    def __repr__(self) -> str:
        return f"SeedRule(words={self.words}, question={self.question}, verbs={self._verbs})"

    def __call__(self, request: InferRequest) -> list[bool]:
        """
        Whether each row is dear: any of its texts is.

        Raises:
            ConfigError: If the request has no text.
        """
        verdicts: list[bool] = []
        for array in request.inputs.values():
            if datatype_of(array.dtype) != "BYTES" or not array.ndim:
                continue
            dear = [any(map(self.dear, _texts(row))) for row in array]
            # Where a model does not batch, its inputs may differ in length.
            verdicts = [*map(any, zip_longest(verdicts, dear))]
        if not verdicts:
            raise ConfigError(
                f"SeedRule reads text, but {request.model!r} was sent {sorted(request.inputs)}."
            )
        return verdicts

    def dear(self, text: str) -> bool:
        """Whether one text is dear."""
        return (
            (self.question and "?" in text)
            or len(text.split()) > self.words
            or (self._pattern is not None and self._pattern.search(text) is not None)
        )


def _texts(row: Any) -> list[str]:
    values: NDArray[Any] = np.asarray(row, dtype=np.object_).ravel()
    return [
        value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        for value in values
    ]
