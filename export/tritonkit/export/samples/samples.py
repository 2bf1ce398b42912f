"""Samples: what a model is judged by and calibrated with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["Samples"]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """
    Rows as a client would send them, and what is known of their right answers.

    Args:
        columns: By input of the served model; the first axis of each is the samples.
            Texts are an object array of str, images one of bytes (a whole file each).
        origin: Where they come from: "built-in", or a file's name and sha256.
        labels: The right class or value of each sample, where known; shape (samples,).
        matches: For each sample the index of the sample that a search for it should
            find, -1 where it is itself to be found; shape (samples,). None where not known.
        extremes: How many at the end are extremes that export added. They count in the
            differences of outputs and in batch dependence, not in the task's metric.
    """

    columns: Mapping[str, NDArray[Any]]
    origin: str
    labels: NDArray[Any] | None = None
    matches: NDArray[np.int64] | None = None
    extremes: int = 0

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        for name in ("labels", "matches"):
            values = getattr(self, name)
            if values is not None:
                lengths[name] = len(values)
        if not self.columns or len(set(lengths.values())) != 1 or not len(self):
            raise ConfigError(
                f"samples must be columns of one length, 1 or more, but got {lengths or 'none'}."
            )
        if not 0 <= self.extremes < len(self):
            raise ConfigError(
                f"extremes must be 0 to {len(self) - 1} of {len(self)} samples, "
                f"but got {self.extremes}."
            )
        if self.matches is not None:
            self._check_matches(self.matches)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def judged(self) -> int:
        """How many count in the task's metric: all but the extremes."""
        return len(self) - self.extremes

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Characters and bytes of each sample, shape (samples,); of numbers, 0."""
        return np.array(
            [
                sum(len(value) for value in row if isinstance(value, str | bytes))
                for row in zip(*self.columns.values(), strict=True)
            ],
            np.int64,
        )

    def take(self, positions: Sequence[int] | NDArray[np.int64]) -> Samples:
        """
        The samples at *positions*, in this order, without matches; none is an extreme.

        A position may come twice.
        """
        at = np.asarray(positions, np.int64)
        return Samples(
            {name: column[at] for name, column in self.columns.items()},
            self.origin,
            None if self.labels is None else self.labels[at],
        )

    def preview(self, position: int, length: int = 60) -> str:
        """One sample in a line of at most *length* characters, for a table."""
        values = [column[position] for column in self.columns.values()]
        text = ", ".join(_short(value) for value in values)
        return text if len(text) <= length else f"{text[: length - 3]}..."

    def _check_matches(self, matches: NDArray[np.int64]) -> None:
        itself = np.arange(len(self))
        wrong = (matches < -1) | (matches >= self.judged) | (matches == itself)
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ConfigError(
                f"matches must be -1 or the index of another sample, below {self.judged}, "
                f"but sample {at} has {int(matches[at])}."
            )


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str):
        return repr(value[:200])
    array = np.asarray(value)
    return str(array.item()) if array.size == 1 else f"{array.dtype}{list(array.shape)}"
