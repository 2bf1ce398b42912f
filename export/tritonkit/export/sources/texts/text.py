"""Models that read a text: what all of them share, from the tokenizer to the conversion."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export import tokenizer as tokenizer_package
from tritonkit.export.child import require_installed, run_child
from tritonkit.export.samples.samples import Samples
from tritonkit.export.samples.texts import TEXTS
from tritonkit.export.sources.answer_file import read_answers
from tritonkit.export.sources.hugging_face.hub import commit_note
from tritonkit.export.sources.source import Answers, Converted, Feeds, Part, Source
from tritonkit.extras import require
from tritonkit.repository import Tensor

__all__ = ["OFFSETS", "TEXT", "TextSource", "unpadded"]

TEXT = Tensor("text", "TYPE_STRING", (1,))
"""What clients send."""

OFFSETS = Tensor("offsets", "TYPE_INT64", (-1, 2))
"""Where in the text each token begins and ends, in characters; -1 for one that is not of it."""

_IDS = Tensor("input_ids", "TYPE_INT64", (-1,))
_MASK = Tensor("attention_mask", "TYPE_INT64", (-1,))
# A token costs a lone caller as much as any other: 4 wastes 1.5 of them on average.
_PAD_TO_MULTIPLE_OF = 4


@dataclass(frozen=True, kw_only=True)
class TextSource(Source):
    """
    A transformers encoder, and whatever stands on it.

    Args:
        path: What the user named: a folder or a hub id.
        name: The last word of it.
        digest: sha256 over the files that decide the answers, 64 hex digits.
        folder: The folder that was read.
        transformer: The folder with the transformer's config.json and weights.
        tokenizer: The tokenizer.json.
        max_length: Longest input in tokens, special tokens included.
        pad_id: Token id that fills a row up; masked, so that it changes no answer.
        lower_case: Whether texts are lowered before the tokenizer sees them.
        revision: The commit on the hub; empty for a folder.
    """

    path: str
    name: str
    digest: str
    folder: Path
    transformer: Path
    tokenizer: Path
    max_length: int
    pad_id: int
    lower_case: bool = False
    revision: str = ""

    role = "encoder"
    versions = ("optimum", "optimum-onnx", "tokenizers", "torch", "transformers")
    task = ""
    """The task, by its name on the hub."""
    with_offsets = False
    """Whether the tokenizer tells where in the text each token is."""

    @abstractmethod
    def answer_with_torch(self, texts: Sequence[str]) -> Answers:
        """
        What the source's own library answers; runs in the child process.

        Returns:
            By output of the finished graph, one array a text.
        """

    def builtin_samples(self) -> Samples | None:
        """Texts of many lengths and scripts."""
        return Samples({TEXT.name: np.array(TEXTS, dtype=np.object_)}, "built-in")

    def convert(self, folder: Path, samples: Samples) -> Converted:
        """Convert with optimum and answer with torch, both in a process of their own."""
        require_installed("onnx", "optimum", "torch", "transformers", extra="export")
        texts = self.texts(samples)
        self.prepare(samples)
        (folder / "texts.json").write_text(json.dumps(texts))
        run_child(
            "tritonkit.export.sources.texts.conversion",
            [str(self.folder), self.task, str(folder)],
            folder=folder,
            what=f"{self.path} could not be converted to ONNX",
        )
        return Converted(folder / "model.onnx", read_answers(folder / "answers.npz"))

    def prepare(self, samples: Samples) -> Feeds:
        """*samples* as the tokenizer model gives them to the encoder."""
        encodings = self._batch_tokenizer.encode(self.texts(samples))
        for position, encoding in enumerate(encodings):
            refusal = self._batch_tokenizer.refusal(encoding)
            if refusal:
                raise ConfigError(f"sample {samples.preview(position)}: {refusal}.")
        feeds: Feeds = self._batch_tokenizer.rows(encodings)
        return feeds

    def texts(self, samples: Samples) -> list[str]:
        """
        The texts of *samples*.

        Raises:
            ConfigError: If they have no column "text" of strings.
        """
        column = samples.columns.get(TEXT.name)
        if column is None or not all(isinstance(text, str) for text in column.flat):
            raise ConfigError(
                f"samples of {self.path} need a column {TEXT.name!r} of strings, "
                f"but have {', '.join(map(repr, samples.columns))}."
            )
        return [str(text) for text in column.flat]

    @property
    def needed_token(self) -> str:
        """A token that each text must hold once; empty for none."""
        return ""

    @property
    def before(self) -> Part:
        """The tokenizer: text to input_ids and attention_mask."""
        here = Path(tokenizer_package.__file__).parent
        return Part(
            role="tokenizer",
            inputs=(TEXT,),
            outputs=(_IDS, _MASK, OFFSETS) if self.with_offsets else (_IDS, _MASK),
            files={
                "model.py": here / "model.py",
                "batch.py": here / "batch.py",
                "tokenizer.json": self.tokenizer,
            },
            parameters=self._tokenizer_parameters,
        )

    @property
    def needed_input_sizes(self) -> dict[str, tuple[int, ...]]:
        """A text of few tokens."""
        return {_IDS.name: (_PAD_TO_MULTIPLE_OF,), _MASK.name: (_PAD_TO_MULTIPLE_OF,)}

    @property
    def notes(self) -> tuple[str, ...]:
        """The commit on the hub, if it comes from there."""
        return commit_note(self.revision)

    @property
    def _tokenizer_parameters(self) -> dict[str, str]:
        return {
            "lower_case": "true" if self.lower_case else "false",
            "max_length": str(self.max_length),
            "needed_token": self.needed_token,
            "offsets": "true" if self.with_offsets else "false",
            "pad_id": str(self.pad_id),
            "pad_to_multiple_of": str(_PAD_TO_MULTIPLE_OF),
        }

    @cached_property
    def _batch_tokenizer(self) -> Any:
        require("tokenizers", extra="export")
        from tritonkit.export.tokenizer.batch import BatchTokenizer

        return BatchTokenizer.from_parameters(str(self.tokenizer), self._tokenizer_parameters)


def unpadded(output: NDArray[Any], mask: NDArray[np.int64]) -> list[NDArray[Any]]:
    """
    The rows of *output*, without padding.

    Args:
        output: Shape (texts, length, ...).
        mask: 1 for a token and 0 for the padding behind, shape (texts, length).
    """
    return [row[:length] for row, length in zip(output, mask.sum(axis=1), strict=True)]
