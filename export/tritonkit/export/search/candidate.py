"""What was measured of one recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tritonkit.export.accuracy.accuracy import Accuracy

__all__ = ["Candidate", "Speed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """
    How fast a graph answers in one process, without Triton, beside fp32.

    Args:
        rows_per_second: By batch size, the median over rounds.
        times_faster: By batch size, the median of each round's ratio to fp32.
        error: By batch size, the standard error of times_faster.
    """

    rows_per_second: Mapping[int, float]
    times_faster: Mapping[int, float]
    error: Mapping[int, float] = field(default_factory=dict)

    @property
    def throughput(self) -> float:
        """times_faster at the largest batch."""
        return self.times_faster[self.batch]

    @property
    def batch(self) -> int:
        """The largest batch that was measured."""
        return max(self.times_faster)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """
    A recipe that was tried.

    Args:
        recipe: Its name.
        precision: Out of PRECISIONS.
        summary: What it does.
        graph: The finished ONNX file; gone once the export ends.
        size_bytes: Its size.
        times_smaller: The size of fp32 divided by its own.
        accuracy: Against the source.
        speed: Beside fp32.
    """

    recipe: str
    precision: str
    summary: str
    graph: Path
    size_bytes: int
    times_smaller: float
    accuracy: Accuracy
    speed: Speed
