"""A rule for texts that needs no training."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tritonkit.client.layers.tiers.row_rule import Otherwise, RowRule
from tritonkit.client.layers.tiers.row_sizes import texts
from tritonkit.client.types import InferRequest
from tritonkit.errors import ConfigError

__all__ = ["VERBS", "SeedRule"]

VERBS = ("compare", "analyse", "analyze", "explain")
"""Words that ask for thought."""


class SeedRule(RowRule):
    """
    Whether a row of text is dear: long, a question, or a task that takes thought.

    Any text of a row makes it dear.

    Args:
        words: A text of more words is dear.
        question: Whether a question mark makes it dear.
        verbs: A word that begins with one of these makes it dear, in any case.
        otherwise: What a request without a text counts as; see `RowRule`.

    Raises:
        ConfigError: If an argument is wrong.
    """

    reads = "texts"

    def __init__(
        self,
        *,
        words: int = 20,
        question: bool = True,
        verbs: Sequence[str] = VERBS,
        otherwise: Otherwise = "dear",
    ) -> None:
        super().__init__(otherwise)
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

    def verdicts(self, request: InferRequest) -> Sequence[bool] | None:
        """Whether each row is dear."""
        rows = texts(request)
        return None if rows is None else [any(map(self.dear, row)) for row in rows]

    def dear(self, text: str) -> bool:
        """Whether one text is dear."""
        return (
            (self.question and "?" in text)
            or len(text.split()) > self.words
            or (self._pattern is not None and self._pattern.search(text) is not None)
        )
