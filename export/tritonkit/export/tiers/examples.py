"""What a tier learns from: texts as token ids, and the teacher's embeddings of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.sources.texts.text import TEXT

__all__ = ["Examples", "batches_of", "embed", "mean_cosine", "padded"]

_Items = TypeVar("_Items", list[int], list[NDArray[np.int64]], NDArray[np.int64])

_BATCH = 32
_CHUNK = 16 * _BATCH


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """
    Texts and their embeddings.

    Args:
        ids: Token ids of every text one after the other, special tokens included.
        lengths: How many of them each text has, shape (texts,).
        embeddings: FP32, shape (texts, dimension).
    """

    ids: NDArray[np.int64]
    lengths: NDArray[np.int64]
    embeddings: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def rows(self) -> list[NDArray[np.int64]]:
        """The token ids of each text."""
        return np.split(self.ids, np.cumsum(self.lengths)[:-1])

    def part(self, start: int, stop: int) -> Examples:
        """The texts from *start* to before *stop*, as a slice has them."""
        before = self.lengths[:start].sum()
        return Examples(
            self.ids[before : before + self.lengths[start:stop].sum()],
            self.lengths[start:stop],
            self.embeddings[start:stop],
        )

    def save(self, file: Path) -> None:
        """Write them to *file*, an .npz."""
        np.savez(file, ids=self.ids, lengths=self.lengths, embeddings=self.embeddings)

    @classmethod
    def load(cls, file: Path) -> Examples:
        """Read what `save` wrote."""
        with np.load(file) as arrays:
            return cls(arrays["ids"], arrays["lengths"], arrays["embeddings"])


def embed(
    source: SentenceTransformer,
    graph: Path,
    texts: Sequence[str],
    *,
    threads: int,
    until: float,
    at_least: int,
    progress: Callable[[str], None] = lambda _: None,
) -> Examples:
    """
    Let the teacher embed *texts*.

    Args:
        source: The teacher.
        graph: Its finished graph.
        texts: In an order that says nothing of them, as it may stop on the way.
        threads: Threads of a run; 0 for every core.
        until: Time of `monotonic` to stop at.
        at_least: Texts that are embedded even then.
        progress: Told how far it is.
    """
    network = Network(source, graph, threads=threads)
    ids: list[NDArray[np.int64]] = []
    embeddings: list[NDArray[np.float32]] = []
    for start in range(0, len(texts), _CHUNK):
        if start >= at_least and monotonic() > until:
            break
        chunk = texts[start : start + _CHUNK]
        rows: dict[int, tuple[NDArray[np.int64], NDArray[np.float32]]] = {}
        # A row is padded to the longest of its batch.
        for batch in batches_of(sorted(range(len(chunk)), key=lambda at: len(chunk[at])), _BATCH):
            column = np.array([chunk[at] for at in batch], object)
            feeds = source.prepare(Samples({TEXT.name: column}, "texts of a tier"))
            answers = network.run(feeds)[source.judged]
            for at, row, kept, answer in zip(
                batch, feeds["input_ids"], feeds["attention_mask"], answers, strict=True
            ):
                rows[at] = row[kept > 0], answer
        for at in range(len(chunk)):
            row, answer = rows[at]
            # A tokenizer without special tokens makes nothing of an empty text.
            if len(row):
                ids.append(row)
                embeddings.append(answer)
        progress(f"{start + len(chunk)} of {len(texts)} texts embedded")
    return Examples(
        np.concatenate(ids), np.array([len(row) for row in ids], np.int64), np.stack(embeddings)
    )


def padded(rows: Sequence[NDArray[np.int64]], pad_id: int) -> dict[str, NDArray[np.int64]]:
    """Token ids of several texts as one batch of a graph."""
    ids = np.full((len(rows), max(map(len, rows))), pad_id, np.int64)
    mask = np.zeros_like(ids)
    for position, row in enumerate(rows):
        ids[position, : len(row)] = row
        mask[position, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def batches_of(items: _Items, size: int) -> Iterator[_Items]:
    """*items* in consecutive batches of *size*, the last perhaps smaller."""
    return (items[start : start + size] for start in range(0, len(items), size))


def mean_cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean cosine of the rows of *one* to those of *other*; that of a row of zeros is 0."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean((one * other).sum(axis=1) / np.maximum(lengths, 1e-12)))
