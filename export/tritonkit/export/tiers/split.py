"""Texts to train on, and others to judge by: no text is on both sides."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.samples.samples import Samples

__all__ = ["JUDGED", "distinct", "folded", "split", "split_samples"]

JUDGED = 1000
"""Samples that judging is content with; more would be of more use for training."""


def folded(text: str) -> str:
    """*text* without what makes no difference to most models: case, accents, kinds of space."""
    letters = unicodedata.normalize("NFKD", text.upper().casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(plain.upper().casefold().split())


def distinct(texts: Iterable[str]) -> list[str]:
    """The first of all texts that are the same when folded; in an order that is that of no file."""
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(folded(text), text)
    return [first[key] for key in sorted(first, key=_rank)]


def split(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """
    Divide *texts* by their hash.

    A quarter is for judging, and JUDGED at most. Texts that differ in case, accents or
    spaces are one text, so that they never come apart.

    Returns:
        The different texts to train on, and the texts to judge by in their order.
    """
    column = np.array(texts, object)
    train, judge = _sides(column, [[position] for position in range(len(column))], set())
    return distinct(column[train]), list(column[judge])


def split_samples(samples: Samples) -> tuple[list[str], Samples]:
    """
    Divide *samples* into texts to train on and samples to judge by.

    As `split` does, but what belongs together stays together: a document, every
    query that should find it, and texts equal to one of these. Such groups are
    for judging before all others, because only they tell how good a search is.

    Args:
        samples: Of one column of texts.

    Returns:
        The different texts to train on, and the samples to judge by in their order,
        with their labels, matches and extremes.

    Raises:
        ConfigError: If there are several columns, or other values than texts.
    """
    if len(samples.columns) != 1:
        raise ConfigError(
            "a tier is trained on one column of texts, but the samples have "
            f"{len(samples.columns)}: {', '.join(samples.columns)}."
        )
    ((name, column),) = samples.columns.items()
    for position, text in enumerate(column):
        if not isinstance(text, str):
            raise ConfigError(f"a tier is trained on texts, but sample {position} is {text!r:.60}.")
    matches = np.full(len(samples), -1) if samples.matches is None else samples.matches
    found = matches[: samples.judged]
    groups = [[at] if match < 0 else [at, int(match)] for at, match in enumerate(found)]
    paired = {position for group in groups if len(group) == 2 for position in group}
    train, judge = _sides(column[: samples.judged], groups, paired)
    judge = np.concatenate([judge, np.arange(samples.judged, len(samples))])
    renumbered = np.full(len(samples), -1, np.int64)
    renumbered[judge] = np.arange(len(judge))
    judged = Samples(
        {name: column[judge]},
        samples.origin,
        None if samples.labels is None else samples.labels[judge],
        # A negative match stays one; any other is in its query's group, hence on its side.
        None if samples.matches is None else np.where(matches < 0, -1, renumbered[matches])[judge],
        samples.extremes,
    )
    return distinct(column[train]), judged


def _sides(
    column: NDArray[np.object_], groups: Sequence[Sequence[int]], first: set[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions to train on and to judge by; groups that touch *first* are judged first."""
    keys = [folded(text) for text in column]
    parent = {key: key for key in keys}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = key = parent[parent[key]]
        return key

    for start, *rest in groups:
        for other in rest:
            parent[root(keys[start])] = root(keys[other])
    members: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        members.setdefault(root(key), []).append(position)
    ordered = sorted(
        members.values(),
        key=lambda group: (
            first.isdisjoint(group),
            min(_rank(keys[position]) for position in group),
        ),
    )
    wanted = min(JUDGED, max(len(column) // 4, 1))
    judge: list[int] = []
    for group in ordered:
        if len(judge) >= wanted:
            break
        judge += group
    judged = np.array(sorted(judge), np.int64)
    return np.setdiff1d(np.arange(len(column)), judged), judged


def _rank(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
