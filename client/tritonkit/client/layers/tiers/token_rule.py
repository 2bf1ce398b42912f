"""A rule by the number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tritonkit.client.layers.tiers.row_rule import Otherwise, RowRule, options
from tritonkit.client.layers.tiers.row_sizes import estimated_tokens, tokens
from tritonkit.client.types import InferRequest
from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["TokenRule"]


class TokenRule(RowRule):
    """
    Whether a row has many tokens.

    Counts the ones of "attention_mask" where a request has it; else the tokens of its
    texts, all those of a row together; else the "input_ids" that are not *pad*.

    Args:
        most: A row of more tokens is dear.
        tokenizer: Of the texts: the path of a `tokenizer.json`, or a function that
            takes a text and gives its tokens or their number; special tokens
            count. Without one the number is estimated, a token for each six
            letters of a word and for each sign: within 1 % of BERT's on English
            prose, up to 40 % too low for other languages with an English
            vocabulary. A tokenizer works in the event loop, about a millisecond for a
            thousand words.
        input: The input to read, a text, a mask or ids; found by its name or type by default.
        pad: The id that fills rows up; it does not count.
        otherwise: See `RowRule`.

    Raises:
        ConfigError: If an argument is wrong, or the file is no tokenizer.
        MissingExtra: If a file is given and tokenizers is not installed.
    """

    reads = "texts or tokens"

    def __init__(
        self,
        most: int = 64,
        *,
        tokenizer: str | Callable[[str], Any] | None = None,
        input: str | None = None,
        pad: int = 0,
        otherwise: Otherwise = "dear",
    ) -> None:
        super().__init__(otherwise)
        if most < 0:
            raise ConfigError(f"most must not be negative, but got {most=}.")
        self.most, self.tokenizer, self.input, self.pad = most, tokenizer, input, pad
        self._count = _counter(tokenizer)

    def __repr__(self) -> str:
        return f"TokenRule({self.most}{_shown(tokenizer=self.tokenizer, input=self.input)})"

    def verdicts(self, request: InferRequest) -> Sequence[bool] | None:
        """Whether each row has more tokens."""
        counts = tokens(request, self._count, name=self.input, pad=self.pad)
        return None if counts is None else [count > self.most for count in counts]


def _shown(**given: object) -> str:
    text = options(**given)
    return f", {text}" if text else ""


def _counter(tokenizer: str | Callable[[str], Any] | None) -> Callable[[str], int]:
    if tokenizer is None:
        return estimated_tokens
    if isinstance(tokenizer, str):
        return _of_file(tokenizer)

    def count(text: str) -> int:
        found = tokenizer(text)
        return found if isinstance(found, int) else len(found)

    return count


def _of_file(path: str) -> Callable[[str], int]:
    module = require("tokenizers", extra="export")
    try:
        made = module.Tokenizer.from_file(path)
    except Exception as error:  # the library raises nothing more particular
        raise ConfigError(f"tokenizer {path!r} cannot be read: {error}") from error
    # What the model is given at most is not what the text has.
    made.no_truncation()
    made.no_padding()
    return lambda text: len(made.encode(text).ids)
