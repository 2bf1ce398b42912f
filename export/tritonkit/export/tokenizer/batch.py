"""Texts to token ids, for a whole batch of requests at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

__all__ = ["BATCH_OF_ITS_OWN", "BatchTokenizer", "padded_length", "read_texts"]

BATCH_OF_ITS_OWN = 8
"""Texts from which on an encoder's throughput hardly grows with the batch."""


class BatchTokenizer:
    """
    Tokenises texts into rows of one common length.

    Args:
        file: Path of a tokenizer.json. Its own padding and truncation are put
            aside: many files pad every text to 128 tokens.
        max_length: Longest row in tokens, special tokens included.
        pad_id: Token id that fills a row up.
        pad_to_multiple_of: Rows of few texts are padded to a multiple of it.
        lower_case: Whether to lower texts first.
        offsets: Whether to tell where each token is in its text.
        needed_token: A token that each text must hold once; empty for none.
    """

    def __init__(
        self,
        file: str,
        *,
        max_length: int,
        pad_id: int,
        pad_to_multiple_of: int = 1,
        lower_case: bool = False,
        offsets: bool = False,
        needed_token: str = "",
    ) -> None:
        self._tokenizer = Tokenizer.from_file(file)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length)
        self._max_length = max_length
        self._pad_id = pad_id
        self._multiple = pad_to_multiple_of
        self._lower_case = lower_case
        self._offsets = offsets
        self._needed = needed_token
        self._needed_id = self._tokenizer.token_to_id(needed_token) if needed_token else None

    @classmethod
    def from_parameters(cls, file: str, values: Mapping[str, str]) -> BatchTokenizer:
        """One with the settings that stand in a model's configuration."""
        return cls(
            file,
            max_length=int(values["max_length"]),
            pad_id=int(values["pad_id"]),
            pad_to_multiple_of=int(values["pad_to_multiple_of"]),
            lower_case=values["lower_case"] == "true",
            offsets=values["offsets"] == "true",
            needed_token=values["needed_token"],
        )

    def __call__(self, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        """Tokenise *texts*: `rows` of what `encode` gives."""
        return self.rows(self.encode(texts))

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """Tokenise *texts*, each for itself; a tokenizers.Encoding for each."""
        if self._lower_case:
            texts = [text.lower() for text in texts]
        # The fast way keeps no offsets.
        encode = (
            self._tokenizer.encode_batch if self._offsets else self._tokenizer.encode_batch_fast
        )
        encodings: list[Any] = encode(list(texts))
        return encodings

    def refusal(self, encoding: Any) -> str:
        """Why the model cannot answer a text, in words; empty where it can."""
        if self._needed_id is None:
            return ""
        found = encoding.ids.count(self._needed_id)
        if found == 1:
            return ""
        within = f" within its first {self._max_length} tokens" if encoding.overflowing else ""
        return f"it must hold {self._needed} once, but holds it {found} times{within}"

    def rows(self, encodings: Sequence[Any]) -> dict[str, NDArray[np.int64]]:
        """
        Pad *encodings* to one length.

        Returns:
            input_ids and attention_mask, each INT64 of shape (texts, length). With
            offsets also those, INT64 (texts, length, 2): the characters at which each
            token begins and ends, -1 for special tokens and padding.
        """
        ids_of = [encoding.ids for encoding in encodings]
        longest = max(map(len, ids_of), default=0)
        length = padded_length(
            len(ids_of), longest, multiple=self._multiple, max_length=self._max_length
        )
        ids = np.full((len(ids_of), length), self._pad_id, np.int64)
        mask = np.zeros((len(ids_of), length), np.int64)
        for position, row in enumerate(ids_of):
            ids[position, : len(row)] = row
            mask[position, : len(row)] = 1
        rows = {"input_ids": ids, "attention_mask": mask}
        if self._offsets:
            rows["offsets"] = np.full((*ids.shape, 2), -1, np.int64)
            for position, encoding in enumerate(encodings):
                spans = np.array(encoding.offsets, np.int64).reshape(-1, 2)
                spans[np.array(encoding.special_tokens_mask, np.bool_)] = -1
                rows["offsets"][position, : len(spans)] = spans
        return rows


def padded_length(rows: int, longest: int, *, multiple: int, max_length: int) -> int:
    """
    The common length of a batch.

    Triton joins only requests of equal shape. A few texts are therefore padded
    to a bucket, in which the next few may meet them. Many texts are a batch of
    their own: joining them with more gains less than the padding costs.

    Args:
        rows: Texts in the batch.
        longest: Tokens of its longest text.
        multiple: Buckets are the multiples of it.
        max_length: What no row exceeds.
    """
    step = multiple if rows < BATCH_OF_ITS_OWN else 1
    return min(-(-max(longest, 1) // step) * step, max_length)


def read_texts(array: Any) -> list[str]:
    """
    Decode the elements of a TYPE_STRING tensor.

    Raises:
        ValueError: If an element is not UTF-8; the message names it.
    """
    texts = []
    for position, element in enumerate(array.reshape(-1)):
        try:
            texts.append(element.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(
                f"text {position} is not UTF-8: byte {error.start} is "
                f"{error.object[error.start]:#04x}"
            ) from error
    return texts
