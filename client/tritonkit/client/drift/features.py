"""Which features a tensor has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.categories import MOST, Categories
from tritonkit.client.drift.expected import Expected
from tritonkit.client.drift.feature import Feature, Side
from tritonkit.client.drift.numeric import Numeric
from tritonkit.client.drift.reading import Reading, finite, flat
from tritonkit.client.drift.shares import Shares
from tritonkit.client.drift.vectors import Vectors

__all__ = ["KINDS", "class_features", "features_of"]

KINDS: Mapping[str, type[Feature]] = {
    kind.kind: kind for kind in (Numeric, Categories, Shares, Vectors, Expected)
}
"""By their names in a file."""

_MOST_COLUMNS = 16
"""Numbers of a row that are watched one by one; more are a vector only."""

_COMPONENTS = 4

_SOME = 500
"""Rows that show the directions of a space well enough."""


def features_of(side: Side, tensor: str, rows: NDArray[Any], seed: int) -> Iterator[Feature]:
    """
    What is watched of a tensor, by its type and width.

    Text: its lengths, its scripts and its trigrams; a few different texts are
    categories. Whole numbers: categories where they are few. Numbers up to 16 a row:
    each. Two numbers or more: all of them as a vector. More than 16: the
    components of a vector that vary most, and what they leave; of whole
    numbers, tokens.
    """
    name = f"{side} {tensor}"
    if rows.dtype.kind in "OSU":
        yield from _of_text(name, side, tensor, rows)
        return
    width = rows[0].size
    whole = rows.dtype.kind in "iub"
    if whole and width > _MOST_COLUMNS:
        yield Shares(f"{name}: tokens", side, tensor, parts="tokens")
        return
    if width > _MOST_COLUMNS:
        yield from _of_vectors(name, side, tensor, rows)
    for column in range(width if width <= _MOST_COLUMNS else 0):
        own = name if width == 1 else f"{name}[{column}]"
        reading = Reading(kind="column", index=column)
        if whole and _few(reading(rows)):
            yield Categories.of(own, side, tensor, reading, rows)
        else:
            yield Numeric.of(own, side, tensor, reading, rows)
    if width > 1 and not whole:
        yield Vectors.of(f"{name}: all numbers", side, tensor, rows, seed)


def class_features(tensor: str, rows: NDArray[Any]) -> Iterator[Feature]:
    """What is watched of an output that has classes along its last axis."""
    name = f"output {tensor}"
    yield Categories.of(f"{name}: class", "output", tensor, Reading(kind="class"), rows)
    yield Numeric.of(
        f"{name}: max probability", "output", tensor, Reading(kind="max_probability"), rows
    )
    yield Numeric.of(f"{name}: margin", "output", tensor, Reading(kind="margin"), rows)
    yield Numeric.of(f"{name}: entropy", "output", tensor, Reading(kind="entropy"), rows)


def _of_text(name: str, side: Side, tensor: str, rows: NDArray[Any]) -> Iterator[Feature]:
    reading = Reading(kind="text")
    if _few(reading(rows)):
        yield Categories.of(name, side, tensor, reading, rows)
        return
    yield Numeric.of(f"{name}: characters", side, tensor, Reading(kind="characters"), rows)
    yield Numeric.of(f"{name}: words", side, tensor, Reading(kind="words"), rows)
    yield Shares(f"{name}: scripts", side, tensor, parts="scripts")
    yield Shares(f"{name}: trigrams", side, tensor, parts="trigrams")


def _of_vectors(name: str, side: Side, tensor: str, rows: NDArray[Any]) -> Iterator[Feature]:
    numbers = finite(flat(rows))
    centre = numbers.mean(axis=0)
    some = numbers[:: -(-len(numbers) // _SOME)]
    _, sizes, directions = np.linalg.svd(some - centre, full_matrices=False)
    deviations = sizes / np.sqrt(len(some))
    known = deviations > 1e-9 * max(1.0, float(deviations[0]))
    basis = (directions[known] / deviations[known, None])[:_COMPONENTS]
    for component in range(len(basis)):
        reading = Reading(kind="component", index=component, centre=centre, basis=basis)
        yield Numeric.of(f"{name}: component {component + 1}", side, tensor, reading, rows)
    reading = Reading(kind="residual", centre=centre, basis=basis)
    yield Numeric.of(f"{name}: residual", side, tensor, reading, rows)


def _few(values: NDArray[Any]) -> bool:
    """Whether the same values come again and again."""
    return len(set(values.tolist())) <= min(MOST, len(values) / 10)
