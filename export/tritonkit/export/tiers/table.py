"""A table of one vector a token, whose mean over a text's tokens is the text's embedding."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.tiers.examples import Examples, batches_of, mean_cosine

__all__ = ["Table", "embed_by", "fit", "tune"]

Table: TypeAlias = NDArray[np.float32]
"""FP32, shape (token ids, dimension). The length of a row is the weight of its token."""

_BATCH = 256
_EPOCHS = 8
# Of the size that elements of the table have.
_RATE = 0.1
_RARE = 1e-3
_RIDGE = 1e-3
_TINY = 1e-12


def fit(tokens: Table, examples: Examples) -> Table:
    """
    The best table that is linear in *tokens*.

    A token counts less the more frequent it is. The map of what that gives for each
    text to the text's embedding has a closed form. It serves tokens as well that no
    text has.

    Args:
        tokens: The teacher's embedding of each token alone; rows of zeros stay zeros.
        examples: Texts to fit to.

    Source: Arora, Liang and Ma, A simple but tough-to-beat baseline for sentence
    embeddings (2017), for the weights; ridge regression for the map.
    """
    counts = np.bincount(examples.ids, minlength=len(tokens))
    weights = (_RARE / (_RARE + counts / counts.sum())) * tokens.any(axis=1)
    ones = np.ones((len(tokens), 1), np.float32)
    features = np.concatenate([tokens, ones], axis=1) * weights[:, None].astype(np.float32)
    means = embed_by(features, examples).astype(np.float64)
    gram = means.T @ means
    ridge = _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    linear = np.linalg.solve(gram + ridge, means.T @ examples.embeddings)
    table: Table = features @ linear.astype(np.float32)
    return table


def tune(
    table: Table,
    train: Examples,
    held_out: Examples,
    *,
    normalize: bool,
    until: float,
    progress: Callable[[str], None],
) -> tuple[Table, int]:
    """
    Move the rows of tokens that *train* has, by Adam, until *held_out* gains no more.

    Args:
        table: What to start from.
        train: Texts to learn from.
        held_out: Texts that decide which epoch was best.
        normalize: Whether the teacher's embeddings have length 1.
        until: Time of `monotonic` to stop at.
        progress: Told of each epoch.

    Returns:
        The best table, and how many epochs it took.

    Source: Kingma and Ba, Adam (2015). Rows that a batch does not have stay as they are.
    """
    best, best_cosine, best_epoch = (
        table,
        mean_cosine(embed_by(table, held_out), held_out.embeddings),
        0,
    )
    used, ids = np.unique(train.ids, return_inverse=True)
    rows = Examples(ids, train.lengths, train.embeddings).rows
    values = table[used]
    first, second = np.zeros_like(values), np.zeros_like(values)
    rate = _RATE * float(np.sqrt(np.mean(values**2)))
    steps, step = _EPOCHS * -(-len(train) // _BATCH), 0
    generator = np.random.default_rng(0)
    for epoch in range(1, _EPOCHS + 1):
        for batch in batches_of(generator.permutation(len(train)), _BATCH):
            if monotonic() > until:
                return best, best_epoch
            here, share = _shares([rows[position] for position in batch])
            means = share @ values[here]
            gradient = share.T @ _slope(means, train.embeddings[batch], normalize=normalize)
            step += 1
            first[here] = 0.9 * first[here] + 0.1 * gradient
            second[here] = 0.99 * second[here] + 0.01 * gradient**2
            root = np.sqrt(second[here] / (1 - 0.99**step)) + _TINY
            values[here] -= rate * (1 - step / (steps + 1)) * (first[here] / (1 - 0.9**step)) / root
        tuned = table.copy()
        tuned[used] = values
        cosine = mean_cosine(embed_by(tuned, held_out), held_out.embeddings)
        progress(f"epoch {epoch} of at most {_EPOCHS}, held-out cosine {cosine:.3f}")
        if cosine <= best_cosine:
            break
        best, best_cosine, best_epoch = tuned, cosine, epoch
    return best, best_epoch


def embed_by(table: Table, examples: Examples) -> NDArray[np.float32]:
    """The mean of each text's rows of *table*, shape (texts, dimension)."""
    means = []
    for start in range(0, len(examples), _BATCH):
        part = examples.part(start, start + _BATCH)
        starts = np.cumsum(part.lengths) - part.lengths
        means.append(np.add.reduceat(table[part.ids], starts, axis=0) / part.lengths[:, None])
    return np.concatenate(means).astype(np.float32)


def _shares(rows: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ids in *rows*, and the share of each in each row: (texts, ids)."""
    lengths = [len(row) for row in rows]
    here, columns = np.unique(np.concatenate(rows), return_inverse=True)
    share = np.zeros((len(rows), len(here)), np.float32)
    np.add.at(share, (np.repeat(np.arange(len(rows)), lengths), columns), 1)
    return here, share / np.array(lengths, np.float32)[:, None]


def _slope(
    means: NDArray[np.float32], wanted: NDArray[np.float32], *, normalize: bool
) -> NDArray[np.float32]:
    """Gradient by *means* of half the squared distance to what is wanted."""
    if not normalize:
        return means - wanted
    lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), _TINY)
    unit = means / lengths
    error = unit - wanted
    slope: NDArray[np.float32] = (error - unit * (unit * error).sum(1, keepdims=True)) / lengths
    return slope
