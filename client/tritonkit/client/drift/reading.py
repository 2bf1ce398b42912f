"""One value of each row, out of a tensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.tiers.confidence import SCORES, probabilities
from tritonkit.errors import ConfigError

__all__ = ["Reading", "as_text", "finite", "flat"]

Kind: TypeAlias = Literal[
    "column",
    "component",
    "residual",
    "characters",
    "words",
    "text",
    "class",
    "max_probability",
    "margin",
    "entropy",
]

_LARGEST = 1e100

_MOST_NUMBERS = 4096
"""Of a row, as a vector; of wider ones every so-many-th is taken."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """
    What is read of each row.

    Args:
        kind: "column" takes a number. "component" is the place along a direction of
            a vector's reference, in standard deviations, and "residual" what all
            directions together leave. "characters" and "words" are lengths of a
            text, "text" is itself. "class", "max_probability", "margin" and
            "entropy" are of probabilities or logits along the last axis.
        index: Of the column or of the direction.
        centre: Of the reference's vectors, shape (numbers,).
        basis: Directions, scaled to give standard deviations, shape (directions, numbers).
    """

    kind: Kind
    index: int = 0
    centre: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    basis: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))

    def __call__(self, rows: NDArray[Any]) -> NDArray[Any]:
        """
        Read each row.

        Args:
            rows: Rows first.

        Returns:
            Shape (rows,).

        Raises:
            ConfigError: If the tensor has another shape than that of the reference.
        """
        match self.kind:
            case "column":
                numbers = rows.reshape(len(rows), -1)
                if numbers.shape[1] <= self.index:
                    raise ConfigError(
                        f"a row has {numbers.shape[1]} numbers, but the profile reads the one at "
                        f"{self.index}."
                    )
                return numbers[:, self.index]
            case "component" | "residual":
                return self._projected(rows)
            case "characters" | "words" | "text":
                texts = [as_text(value) for value in rows.reshape(len(rows), -1)[:, 0].tolist()]
                if self.kind == "text":
                    return np.array(texts, dtype=np.object_)
                lengths = map(len, texts if self.kind == "characters" else map(str.split, texts))
                return np.fromiter(lengths, np.float64, len(texts))
        shares = probabilities("classes", rows)
        if self.kind == "class":
            found: NDArray[Any] = shares.argmax(axis=-1).reshape(len(rows), -1)[:, 0]
            return found
        # Of several positions the least sure one, as a cascade has it.
        scores: NDArray[Any] = SCORES[self.kind](shares).reshape(len(rows), -1).min(axis=1)
        return scores

    def _projected(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        numbers = flat(rows)
        if numbers.shape[1] != len(self.centre):
            raise ConfigError(
                f"a row has {numbers.shape[1]} numbers, but the profile is of {len(self.centre)}."
            )
        apart = numbers - self.centre
        # What is infinite, or becomes so, is a missing value.
        with np.errstate(invalid="ignore", over="ignore"):
            if self.kind == "component":
                along: NDArray[np.float64] = apart @ self.basis[self.index]
                return along
            lengths = np.linalg.norm(self.basis, axis=1, keepdims=True)
            directions = self.basis / np.where(lengths > 0, lengths, 1.0)
            left: NDArray[np.float64] = np.linalg.norm(
                apart - (apart @ directions.T) @ directions, axis=1
            )
        return left


def flat(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Each row as a vector of at most 4,096 numbers."""
    numbers = rows.reshape(len(rows), -1)
    if numbers.shape[1] > _MOST_NUMBERS:
        numbers = numbers[:, np.linspace(0, numbers.shape[1] - 1, _MOST_NUMBERS).astype(np.intp)]
    return numbers.astype(np.float64)


def finite(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for what is no number or infinite, and nothing so large that its square is."""
    found: NDArray[np.float64] = np.nan_to_num(numbers, posinf=0.0, neginf=0.0)
    return found.clip(-_LARGEST, _LARGEST)


def as_text(value: object) -> str:
    """Text as it is, bytes as UTF-8 wherever they are."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
