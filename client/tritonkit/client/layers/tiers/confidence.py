"""How sure a model is of each row, as its outputs tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.types import Tensors
from tritonkit.errors import ConfigError

__all__ = ["SCORES", "Confidence", "Score", "labels", "probabilities"]

Score = Callable[[Tensors], Any]
"""Takes outputs by name, rows first; gives a number for each row, the surer the greater."""

_SUM = 0.01
"""How far from 1 probabilities may sum up: those of FP16 do."""


class Confidence:
    """
    A number for each row of an answer: the greater, the surer.

    Args:
        score: "max_probability": of the likeliest class. "margin": to the second
            likeliest. "entropy": 1 less the entropy over its largest value. All
            three are 0 to 1. Or a function of the outputs.
        output: Where the classes are, along the last axis; the only output by
            default. A row with several positions is as sure as the least sure of
            them.

    Raises:
        ConfigError: If there is no such score.
    """

    def __init__(self, score: str | Score = "max_probability", output: str | None = None) -> None:
        if isinstance(score, str) and score not in SCORES:
            raise ConfigError(
                f"score must be {', '.join(SCORES)} or a function, but got {score!r}."
            )
        if callable(score) and output is not None:
            raise ConfigError(f"a score that is a function gets every output; leave out {output=}.")
        self.output = output
        self._score = score

    def __repr__(self) -> str:
        if isinstance(self._score, str):
            return self._score if self.output is None else f"{self._score} of {self.output}"
        return getattr(self._score, "__name__", None) or repr(self._score)

    def __call__(self, outputs: Tensors) -> NDArray[np.float64]:
        """
        Score each row.

        Args:
            outputs: Rows first in each.

        Returns:
            Shape (rows,); NaN where a model answered NaN.

        Raises:
            ConfigError: If the outputs have nothing to score.
        """
        rows = len(next(iter(outputs.values()), ()))
        if not isinstance(self._score, str):
            scores = np.asarray(self._score(outputs), dtype=np.float64)
            if scores.shape != (rows,):
                raise ConfigError(
                    f"score must give one number for each of {rows} rows, but gave an array of "
                    f"shape {list(scores.shape)}."
                )
            return scores
        shares = probabilities(*self.classes(outputs))
        least: NDArray[np.float64] = SCORES[self._score](shares).reshape(rows, -1).min(axis=1)
        return least

    def classes(self, outputs: Tensors) -> tuple[str, NDArray[Any]]:
        """
        The name of the output that is scored, and its values.

        Raises:
            ConfigError: If there is no such output, or no telling which.
        """
        name = self.output
        if name is None:
            if len(outputs) != 1:
                raise ConfigError(
                    f"score needs to know which of the outputs {sorted(outputs)} has the classes: "
                    "output=..."
                )
            name = next(iter(outputs))
        if name not in outputs:
            raise ConfigError(f"the model has no output {name!r} to score, but {sorted(outputs)}.")
        return name, outputs[name]


def probabilities(name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    """
    Probabilities of classes, along the last axis.

    What is 0 to 1 and sums up to 1 is taken for probabilities already, anything
    else for logits, of which it takes the softmax; each row by itself, so that its
    score does not depend on its company.

    Args:
        name: Of the output, for the error.
        values: Rows first, two classes or more last.

    Raises:
        ConfigError: If these are no numbers, or there is one class only.
    """
    if values.dtype.kind != "f":
        raise ConfigError(
            f"output {name!r} is {values.dtype}; a score needs probabilities or logits."
        )
    if values.ndim < 2 or values.shape[-1] < 2:
        raise ConfigError(
            f"output {name!r} has shape {list(values.shape)}; a score needs two classes or more "
            "along the last axis. For anything else, give a function."
        )
    wide = values.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        given = ((wide >= 0) & (wide <= 1 + _SUM)).all(axis=-1, keepdims=True) & (
            abs(wide.sum(axis=-1, keepdims=True) - 1) <= _SUM
        )
        powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
        softmax = powers / powers.sum(axis=-1, keepdims=True)
    return np.where(given, wide, softmax)


def labels(values: NDArray[Any]) -> NDArray[np.intp]:
    """The likeliest class of each position; shape (rows, positions)."""
    likeliest: NDArray[np.intp] = values.argmax(axis=-1)
    return likeliest.reshape(len(values), -1)


def _max_probability(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    greatest: NDArray[np.float64] = np.minimum(shares.max(axis=-1), 1.0)
    return greatest


def _margin(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    two = np.partition(shares, -2, axis=-1)
    return np.clip(two[..., -1] - two[..., -2], 0.0, 1.0)


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.log(np.where(shares > 0, shares, 1.0))
    entropy = -(shares * logs).sum(axis=-1)
    order: NDArray[np.float64] = np.clip(1 - entropy / np.log(shares.shape[-1]), 0.0, 1.0)
    return order


SCORES: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "max_probability": _max_probability,
    "margin": _margin,
    "entropy": _entropy,
}
"""The scores that have a name, as functions of probabilities."""
