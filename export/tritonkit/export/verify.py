"""What an exported model keeps of its source, and how fast it is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.embedder import Embedder

__all__ = ["Agreement", "cosine", "measure_agreement", "measure_throughput"]

_BATCH = 16
_INVARIANT = 1 - 1e-5
_ROUNDS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """
    How close embeddings are, over a set of texts.

    Args:
        cosine_mean: Mean cosine to the source's embeddings.
        cosine_min: Cosine of the text that agrees least.
        batch_cosine_min: Lowest cosine between a text embedded alone and among others.
        batch_invariant: Whether an embedding is the same whatever else is in its batch,
            to a cosine of 0.99999.
    """

    cosine_mean: float
    cosine_min: float
    batch_cosine_min: float
    batch_invariant: bool


def measure_agreement(
    embedder: Embedder, texts: Sequence[str], reference: NDArray[np.float32]
) -> Agreement:
    """
    Compare with the source, in batches of 16, and with itself, text by text.

    Args:
        embedder: What to judge.
        texts: What to embed.
        reference: The source's embeddings of *texts*, shape (texts, dimension).
    """
    batched = np.concatenate(
        [embedder(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
    )
    alone = np.concatenate([embedder([text]) for text in texts])
    to_source = cosine(batched, reference)
    to_itself = float(cosine(batched, alone).min())
    return Agreement(
        cosine_mean=float(to_source.mean()),
        cosine_min=float(to_source.min()),
        batch_cosine_min=to_itself,
        batch_invariant=to_itself >= _INVARIANT,
    )


def measure_throughput(embedders: Mapping[str, Embedder], texts: Sequence[str]) -> dict[str, float]:
    """
    Texts a second of each embedder, for *texts* as one batch.

    The embedders take turns, so that what else the machine does slows all of
    them alike; the median of nine turns counts.
    """
    seconds: dict[str, list[float]] = {name: [] for name in embedders}
    for embedder in embedders.values():
        embedder(texts)
    for _ in range(_ROUNDS):
        for name, embedder in embedders.items():
            start = time.perf_counter_ns()
            embedder(texts)
            seconds[name].append((time.perf_counter_ns() - start) / 1e9)
    return {name: len(texts) / statistics.median(times) for name, times in seconds.items()}


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of each row of *one* with the same row of *other*, shape (rows,)."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    result: NDArray[np.float64] = (a * b).sum(axis=1) / np.maximum(lengths, 1e-30)
    return result
