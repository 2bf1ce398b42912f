"""Texts to token ids, for a whole batch of requests at once."""

from __future__ import annotations

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
    """

    def __init__(
        self,
        file: str,
        *,
        max_length: int,
        pad_id: int,
        pad_to_multiple_of: int = 1,
        lower_case: bool = False,
    ) -> None:
        self._tokenizer = Tokenizer.from_file(file)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length)
        self._max_length = max_length
        self._pad_id = pad_id
        self._multiple = pad_to_multiple_of
        self._lower_case = lower_case

    def __call__(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """
        Tokenise *texts*.

        Returns:
            input_ids and attention_mask, each INT64 of shape (texts, length).
        """
        if self._lower_case:
            texts = [text.lower() for text in texts]
        rows: list[list[int]] = [e.ids for e in self._tokenizer.encode_batch_fast(texts)]
        longest = max(map(len, rows), default=0)
        length = padded_length(
            len(rows), longest, multiple=self._multiple, max_length=self._max_length
        )
        ids = np.full((len(rows), length), self._pad_id, np.int64)
        mask = np.zeros((len(rows), length), np.int64)
        for position, row in enumerate(rows):
            ids[position, : len(row)] = row
            mask[position, : len(row)] = 1
        return ids, mask


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
