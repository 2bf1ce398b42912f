"""Vectors, such as embeddings, as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.feature import Feature, Floats, Side, State
from tritonkit.client.drift.reading import finite, flat
from tritonkit.errors import ConfigError

__all__ = ["Vectors"]

_FREQUENCIES = 64
_SOME = 400


class Vectors(Feature):
    """
    A vector of each row, under a Gaussian kernel by random Fourier features.

    The distance of averages is the maximum mean discrepancy (MMD), in linear time:
    it sees changes of means, spreads and correlations together.

    Args:
        name: For alerts.
        side: Inputs or outputs.
        tensor: What it reads.
        frequencies: Shape (numbers, frequencies), drawn for the median distance of
            the reference.
        centre: The reference's average, shape (numbers,).

    Source: Gretton et al., A kernel two-sample test (2012); Rahimi and Recht,
    Random features for large-scale kernel machines (2007).
    """

    kind = "vectors"
    measure = "mmd"
    threshold = 0.05

    def __init__(
        self, name: str, side: Side, tensor: str, *, frequencies: Floats, centre: Floats
    ) -> None:
        super().__init__(name, side, tensor)
        self.frequencies, self.centre = frequencies, centre

    @classmethod
    def of(cls, name: str, side: Side, tensor: str, rows: NDArray[Any], seed: int) -> Vectors:
        """Made for a reference."""
        numbers = finite(flat(rows))
        chance = np.random.default_rng(seed)
        some = numbers[chance.permutation(len(numbers))[:_SOME]]
        squares = ((some[: len(some) // 2] - some[len(some) - len(some) // 2 :]) ** 2).sum(axis=1)
        median = float(np.sqrt(np.median(squares))) or 1.0
        frequencies = chance.standard_normal((numbers.shape[1], _FREQUENCIES)) / median
        return cls(name, side, tensor, frequencies=frequencies, centre=numbers.mean(axis=0))

    def encode(self, rows: NDArray[Any]) -> Floats:
        """Cosines and sines, of length 1."""
        numbers = finite(flat(rows))
        if numbers.shape[1] != len(self.centre):
            raise ConfigError(
                f"{self.name} has {numbers.shape[1]} numbers a row, but {len(self.centre)} in "
                "the profile."
            )
        angles = numbers @ self.frequencies
        found: Floats = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        found /= np.sqrt(_FREQUENCIES)
        return found

    def distance(self, reference: Floats, observed: Floats) -> Floats:
        """MMD, 0 to the root of 2."""
        found: Floats = np.linalg.norm(observed - reference, axis=-1)
        return found

    def measures(self, reference: Floats, observed: Floats) -> Mapping[str, float]:
        """MMD."""
        return {"mmd": float(self.distance(reference, observed))}

    def change(self, reference: Floats, observed: Floats) -> str:
        """That the space has changed; its components say along which direction."""
        before, now = np.linalg.norm(reference), np.linalg.norm(observed)
        return f"rows are {'more' if now > before else 'less'} alike than those of the reference"

    def state(self) -> State:
        """Frequencies and centre."""
        return {"frequencies": self.frequencies, "centre": self.centre}

    @classmethod
    def restored(cls, name: str, side: Side, tensor: str, state: State) -> Vectors:
        """The feature that had this state."""
        return cls(name, side, tensor, frequencies=state["frequencies"], centre=state["centre"])
