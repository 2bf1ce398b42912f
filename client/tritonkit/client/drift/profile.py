"""What a model's traffic looks like when all is well."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.calibrated import Calibrated
from tritonkit.client.drift.expected import Expected
from tritonkit.client.drift.feature import Feature
from tritonkit.client.drift.features import class_features, features_of
from tritonkit.client.drift.judged import classes_of, judged_by
from tritonkit.client.drift.noise import FEWEST_ROWS, Noise, noises, scales_for
from tritonkit.client.types import Tensors
from tritonkit.errors import ConfigError

__all__ = ["Profile", "Watched"]

Floats = NDArray[np.float64]

MOST_ROWS = 50_000
"""That a profile is made of: the noise of a reference is no concern long before."""

EXPECTED = "accuracy by confidence"
"""The name of the feature."""

WINDOW = 200
"""Rows of the smallest window: half a standard deviation is far outside of its noise."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """
    A feature of the reference.

    Args:
        feature: What it reads.
        mean: Of the reference's rows, as the feature encodes them.
        noise: How far away windows are without drift.
    """

    feature: Feature
    mean: Floats
    noise: Noise


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """
    A reference: how inputs, outputs and confidence are distributed, and how sure that is.

    Args:
        model: Whose traffic it is.
        rows: That it was made of.
        by_row: Whether the first axis of requests is rows; a whole request is a
            row of a model that does not batch.
        scales: Sizes of windows.
        watched: Features.
        classes: The output that has classes; empty for none.
        labels: How many labels there were.
        accuracy: On the rows with labels; None without.
        agreement: The share of rows on which a better model gave the same class;
            None where none was asked.
    """

    model: str
    rows: int
    by_row: bool
    scales: tuple[int, ...]
    watched: tuple[Watched, ...]
    classes: str = ""
    labels: int = 0
    accuracy: float | None = None
    agreement: float | None = None

    @classmethod
    def of(
        cls,
        model: str,
        inputs: Tensors,
        outputs: Tensors | None = None,
        *,
        classes: str | None = None,
        labels: Sequence[int] | NDArray[Any] | None = None,
        better: NDArray[Any] | None = None,
        by_row: bool = True,
        window: int = WINDOW,
        seed: int = 0,
    ) -> Profile:
        """
        Make one of a sample.

        Rows belong in the order in which they came: what varies from stretch to
        stretch of the sample is no drift later. The sample should span what
        comes and goes, such as a week.

        Args:
            model: Its name.
            inputs: By name, rows first; 100 rows at least, 5,000 say much more. Of more
                than 50,000 every so-many-th is taken.
            outputs: That the model gave.
            classes: The output with probabilities or logits along its last axis; found
                where an output is probabilities. "" for none.
            labels: The right class of each row, as its place among the classes.
            better: What a better model gave in place of that output.
            by_row: False for a model that does not batch.
            window: Rows of the smallest window.
            seed: Of the random features of vectors, and of the bootstrap.

        Raises:
            ConfigError: If the sample is too small, or does not fit together.
        """
        outputs = outputs or {}
        rows = _rows({**inputs, **{f"output {name}": a for name, a in outputs.items()}})
        if rows > MOST_ROWS:
            index = np.linspace(0, rows - 1, MOST_ROWS).astype(np.intp)
            rows = MOST_ROWS
            inputs = {name: array[index] for name, array in inputs.items()}
            outputs = {name: array[index] for name, array in outputs.items()}
            labels = None if labels is None else np.asarray(labels)[index]
            better = None if better is None else better[index]
        if window < 1:
            raise ConfigError(f"window must be at least 1, but got {window=}.")
        found = [
            f for name, rows_ in inputs.items() for f in features_of("input", name, rows_, seed)
        ]
        classes = classes_of(outputs) if classes is None else classes
        if classes and classes not in outputs:
            raise ConfigError(f"classes must be one of {sorted(outputs)}, but got {classes!r}.")
        for name, rows_ in outputs.items():
            if name == classes:
                found += class_features(name, rows_)
            else:
                found += features_of("output", name, rows_, seed)
        judged: dict[str, Any] = {}
        if classes:
            judged = {"classes": classes, **judged_by(outputs[classes], labels, better)}
            calibrated = judged.pop("calibrated")
            found.append(Expected(EXPECTED, "output", classes, calibrated=calibrated))
        elif labels is not None or better is not None:
            raise ConfigError("labels need an output with classes: classes=...")
        sides = {"input": inputs, "output": outputs}
        encoded = [f.encode(sides[f.side][f.tensor]) for f in found]
        scales = scales_for(rows, window)
        noise = noises(found, encoded, scales, np.random.default_rng(seed))
        watched = tuple(
            Watched(feature=feature, mean=rows_.mean(axis=0), noise=its)
            for feature, rows_, its in zip(found, encoded, noise, strict=True)
        )
        return cls(model=model, rows=rows, by_row=by_row, scales=scales, watched=watched, **judged)

    def __repr__(self) -> str:
        return f"Profile({self.model!r}, rows={self.rows}, features={len(self.watched)})"

    @property
    def calibrated(self) -> Calibrated | None:
        """From confidence to accuracy; None without classes."""
        found = self._expected
        return None if found is None else found[0].calibrated

    @property
    def expected(self) -> float | None:
        """The accuracy that confidence promises on the reference; None without classes."""
        found = self._expected
        return None if found is None else float(found[1][0])

    @property
    def _expected(self) -> tuple[Expected, Floats] | None:
        for it in self.watched:
            if isinstance(it.feature, Expected):
                return it.feature, it.mean
        return None

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write it: all of it or nothing.

        Raises:
            ConfigError: If the file cannot be written.
        """
        from tritonkit.client.drift.profile_file import write

        write(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Profile:
        """
        Read one.

        Raises:
            ConfigError: If it is none, is damaged, or is of another format.
        """
        from tritonkit.client.drift.profile_file import read

        return read(path)


def _rows(tensors: Tensors) -> int:
    counts = {name: len(array) if array.ndim else 0 for name, array in tensors.items()}
    if not counts or len(set(counts.values())) != 1:
        raise ConfigError(f"a profile needs the same number of rows in each tensor: {counts}.")
    (rows,) = set(counts.values())
    if rows < FEWEST_ROWS:
        raise ConfigError(f"a profile needs {FEWEST_ROWS} rows at least, but got {rows}.")
    return rows
