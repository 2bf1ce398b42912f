"""Ensembles of trees, in the terms of ONNX: exact for float32 rows, missing values included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

__all__ = ["Link", "Trees", "float32_at_most"]

Link: TypeAlias = Literal["identity", "exp", "hinge", "sigmoid", "softmax", "square"]
"""
What makes a prediction of a margin, the sum of leaves.

hinge: 1 above 0, else 0. square: the margin squared, with its sign. The others as named.
"""

_ATTRIBUTES = ("featureids", "modes", "values", "truenodeids", "falsenodeids")


@dataclass(slots=True, kw_only=True)
class Trees:
    """
    An ensemble of trees, built node by node.

    Args:
        margins: How many sums a row gets; each leaf adds to one.
        base: What each sum starts with, shape (margins,).
        link: From margins to predictions.
        scale: What margins are multiplied by before a sigmoid.
        zero_is_missing: Whether a row's zeros are to be taken for NaN.
        classes: Names of the classes, all int or all str; empty for a regressor.
    """

    margins: int
    base: Sequence[float]
    link: Link
    scale: float = 1.0
    zero_is_missing: bool = False
    classes: tuple[int, ...] | tuple[str, ...] = ()
    attributes: dict[str, list[Any]] = field(default_factory=dict)

    def split(
        self,
        tree: int,
        node: int,
        *,
        feature: int,
        mode: str,
        threshold: float,
        true: int,
        false: int,
        missing_is_true: bool,
    ) -> None:
        """
        Add an inner node.

        Args:
            tree: Of which tree.
            node: Its number in the tree; the root is the first that is added.
            feature: The column that it reads.
            mode: BRANCH_LT or BRANCH_LEQ.
            threshold: What the column is compared to.
            true: The node of rows for which the comparison holds.
            false: The node of the others.
            missing_is_true: Whether NaN goes to *true*.
        """
        self._add(tree, node, (feature, mode, threshold, true, false), int(missing_is_true))

    def leaf(self, tree: int, node: int, *, margin: int, weight: float) -> None:
        """Add a leaf, which adds *weight* to *margin*."""
        self._add(tree, node, (0, "LEAF", 0.0, 0, 0), 0)
        for name, value in zip(
            ("treeids", "nodeids", "ids", "weights"), (tree, node, margin, weight), strict=True
        ):
            self.attributes.setdefault(f"target_{name}", []).append(value)

    def _add(self, tree: int, node: int, values: Sequence[Any], missing: int) -> None:
        for name, value in zip(
            ("treeids", "nodeids", *_ATTRIBUTES, "missing_value_tracks_true"),
            (tree, node, *values, missing),
            strict=True,
        ):
            self.attributes.setdefault(f"nodes_{name}", []).append(value)


def float32_at_most(threshold: float) -> float:
    """The largest float32 that is not above *threshold*."""
    with np.errstate(over="ignore"):
        near = np.float32(threshold)
    # As Python's floats: numpy would compare in float32.
    above = float(near) > threshold
    return float(np.nextafter(near, np.float32(-np.inf)) if above else near)
