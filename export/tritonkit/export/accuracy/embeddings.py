"""Embeddings: their direction, and what a search among them finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.export.accuracy.judge import Judge, Rows, Task
from tritonkit.export.accuracy.rank import spearman
from tritonkit.export.samples.samples import Samples

__all__ = ["Embeddings"]

_TIE = 1e-5
"""Cosines this close are equal: the same text twice, but for rounding."""

_NOBODY = -2.0
"""Below every cosine: the score of what is not to be found."""

_ACROSS = "in the source's index"
"""Of figures whose queries are the model's and whose candidates the source's."""

_CORRELATED = 200
"""Rank correlation is taken over so many searches; each sorts all candidates."""


@dataclass(frozen=True, slots=True)
class _Search:
    """
    Who looks for whom.

    Args:
        queries: Positions of the samples that are searched for, shape (queries,).
        candidates: Positions of those to be found, shape (candidates,).
    """

    queries: NDArray[np.int64]
    candidates: NDArray[np.int64]

    @classmethod
    def among(cls, count: int, matches: NDArray[np.int64] | None) -> _Search:
        """All look among all others; with *matches*, those that have one among the rest."""
        everyone = np.arange(count)
        if matches is None:
            return cls(everyone, everyone)
        found = (matches == -1) | np.isin(everyone, matches)
        return cls(np.flatnonzero(matches >= 0), np.flatnonzero(found))

    def scores(self, rows: Rows, index: Rows | None = None) -> NDArray[np.float64]:
        """Cosine of each query with each candidate, _NOBODY with itself; *index* holds those."""
        vectors = _directions(rows)
        indexed = vectors if index is None else _directions(index)
        result: NDArray[np.float64] = vectors[self.queries] @ indexed[self.candidates].T
        result[self.itself] = _NOBODY
        return result

    @property
    def itself(self) -> NDArray[np.bool_]:
        """Where query and candidate are one sample, shape (queries, candidates)."""
        same: NDArray[np.bool_] = self.queries[:, None] == self.candidates[None, :]
        return same

    def ranks(self, scores: NDArray[np.float64], matches: NDArray[np.int64]) -> NDArray[np.float64]:
        """Rank of each query's match, from 1; all that score as high stand before it."""
        places = np.searchsorted(self.candidates, matches[self.queries])
        right = scores[np.arange(len(places)), places]
        ahead: NDArray[np.float64] = (scores >= right[:, None] - _TIE).sum(axis=1, dtype=float)
        return ahead


class Embeddings(Judge):
    """
    Judges vectors.

    A search looks among the samples that are to be found where matches are known,
    else among all others. A neighbour that is as near by the source's own vectors as
    the source's choice agrees with it: texts that are there twice tie.
    """

    score = "cosine"

    def agreement(
        self, reference: Rows, answers: Rows, samples: Samples | None = None
    ) -> NDArray[np.float64]:
        """For each search, whether its nearest neighbour is the source's."""
        search = _Search.among(len(reference), None if samples is None else samples.matches)
        return _overlap(search.scores(reference), search.scores(answers), 1)

    def scores(self, reference: Rows, answers: Rows) -> NDArray[np.float64]:
        """The cosines."""
        return self.cosines(reference, answers)

    def task(
        self, reference: Rows, answers: Rows, samples: Samples, classes: Sequence[str]
    ) -> Task:
        """
        MRR, R@1 and R@10 where matches are known, else agreement of nearest neighbours.

        In the source's index the queries are the model's, and what they look among are
        the source's own vectors.
        """
        del classes
        matches = samples.matches
        search = _Search.among(len(reference), matches)
        right, given = search.scores(reference), search.scores(answers)
        across = search.scores(answers, reference)
        figures = {"top-1 agreement": float(_overlap(right, given, 1).mean())}
        others = len(search.candidates) - (matches is None)
        if others > 10:
            figures["top-10 agreement"] = float(_overlap(right, given, 10).mean())
        if others > 2:
            figures["Spearman"] = _correlation(right, given, ~search.itself)
        figures[f"top-1 agreement {_ACROSS}"] = float(_overlap(right, across, 1).mean())
        if matches is None:
            agreement = figures.pop("top-1 agreement")
            return Task(
                metric="top-1 agreement", value=agreement, source_value=1.0, figures=figures
            )
        found = {
            "": search.ranks(given, matches),
            " of the source": search.ranks(right, matches),
            f" {_ACROSS}": search.ranks(across, matches),
        }
        for most in (1, 10):
            for side, ranks in found.items():
                figures[f"R@{most}{side}"] = float((ranks <= most).mean())
        value, source_value, figures[f"MRR {_ACROSS}"] = (
            float((1 / ranks).mean()) for ranks in found.values()
        )
        return Task(metric="MRR", value=value, source_value=source_value, figures=figures)


def _directions(rows: Rows) -> NDArray[np.float64]:
    """*rows* at length 1; one that is not finite has no direction, and is counted elsewhere."""
    vectors = np.stack([row.astype(np.float64).ravel() for row in rows])
    vectors[~np.isfinite(vectors).all(axis=1)] = 0.0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return unit


def _overlap(
    right: NDArray[np.float64], given: NDArray[np.float64], most: int
) -> NDArray[np.float64]:
    """For each search the share of its best *most* that are among the source's."""
    if right.shape[1] <= most:
        return np.ones(len(right))
    chosen = np.argpartition(-given, most - 1, axis=1)[:, :most]
    last = -np.partition(-right, most - 1, axis=1)[:, most - 1 : most]
    result: NDArray[np.float64] = (np.take_along_axis(right, chosen, axis=1) >= last - _TIE).mean(
        axis=1
    )
    return result


def _correlation(
    right: NDArray[np.float64], given: NDArray[np.float64], others: NDArray[np.bool_]
) -> float:
    """Mean over searches, evenly spaced, of the rank correlation of their scores."""
    rows = np.unique(np.linspace(0, len(right) - 1, min(len(right), _CORRELATED)).astype(int))
    return float(
        np.mean([spearman(right[row][others[row]], given[row][others[row]]) for row in rows])
    )
