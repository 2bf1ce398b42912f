"""Samples of a model that has two numbers, a text and classes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client.drift.profile import Profile

ROWS = 2000


class Samples:
    """Makes rows, the same ones of the same seed."""

    rows = ROWS

    @staticmethod
    def texts(
        count: int, seed: int, words: str = "the of and to in is it for"
    ) -> NDArray[np.object_]:
        chance = np.random.default_rng(seed)
        known = words.split()
        lengths = chance.integers(2, 9, count)
        rows = [
            [" ".join(chance.choice(known, length)) + str(n)] for n, length in enumerate(lengths)
        ]
        return np.array(rows, dtype=np.object_)

    @staticmethod
    def probabilities(count: int, seed: int, sure: float = 8.0) -> NDArray[np.float32]:
        """Of two classes; the greater *sure*, the surer."""
        one = np.random.default_rng(seed).beta(sure, 1.0, count)
        return np.stack([one, 1 - one], axis=1).astype(np.float32)

    @staticmethod
    def right_labels(rows: NDArray[np.float32], seed: int) -> NDArray[np.intp]:
        """As often right as the probabilities say."""
        one = np.random.default_rng(seed).random(len(rows)) < rows[:, 0]
        return np.where(one, 0, 1)


@pytest.fixture(scope="session")
def samples() -> type[Samples]:
    return Samples


@pytest.fixture(scope="session")
def profile() -> Profile:
    chance = np.random.default_rng(7)
    classes = Samples.probabilities(ROWS, 8)
    return Profile.of(
        "m",
        {"x": chance.standard_normal((ROWS, 2)).astype(np.float32), "text": Samples.texts(ROWS, 9)},
        {"p": classes, "embedding": chance.standard_normal((ROWS, 24)).astype(np.float32)},
        labels=Samples.right_labels(classes, 10),
        better=classes,
        window=100,
    )
