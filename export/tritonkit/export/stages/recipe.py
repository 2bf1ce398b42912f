"""Recipes: named ways from a converted graph to the one that is served."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tritonkit.export.sources.source import Feeds

__all__ = ["PRECISIONS", "Bench", "Recipe"]

PRECISIONS = ("fp32", "fp16", "int8", "int8_static", "w8", "w4", "mixed")
"""
What weights and activations are stored and computed in.

fp32 as trained; fp16 half; int8 dynamic: weights stored, activations quantised as they
come; int8_static: activations by scales found beforehand on samples; w8 and w4: weights
only, in blocks; mixed: w8 where int8 hurts most, int8 elsewhere.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """
    What recipes work with, made once an export.

    Args:
        graph: The converted graph, FP32, not finished.
        calibration: Batches of the graph's inputs, all of one shape.
        loss: How far the answers of an unfinished graph are from those of `graph` on a
            few samples: 0 for the same, larger for worse. Takes a second or so.
        scratch: Directory for what recipes share, such as the ranking of nodes; it and
            what is in it live as long as the export.
    """

    graph: Path
    calibration: Sequence[Feeds]
    loss: Callable[[Path], float]
    scratch: Path


class Recipe(ABC):
    """One candidate of the search; frozen and hashable."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Unique in the search space, such as "int8" or "w8 block 128"."""

    @property
    @abstractmethod
    def precision(self) -> str:
        """Out of PRECISIONS."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """What it does, in half a line for the card."""

    @abstractmethod
    def apply(self, bench: Bench, target: Path) -> None:
        """
        Write the graph to *target*, whole or not at all.

        Raises:
            ExportError: If it cannot be applied to this graph, in words: an operator is
                missing, calibration failed. The search goes on without it.
            MissingExtra: If the export extra is not installed.
        """
