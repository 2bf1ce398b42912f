"""A rule that was learned from rows of which it is known whether they are dear."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tritonkit.client.layers.tiers.logistic import fit_logistic, logistic
from tritonkit.client.layers.tiers.row_rule import Otherwise, RowRule
from tritonkit.client.layers.tiers.rule_features import FEATURES, features
from tritonkit.client.types import InferRequest, Tensors
from tritonkit.errors import ConfigError
from tritonkit.units import parse_share

__all__ = ["LearnedRule"]

_FORMAT = 1


class LearnedRule(RowRule):
    """
    Whether a row is dear by a logistic score of what can be seen of it.

    A row whose probability to be dear is above the threshold is. `LearnedRule.fit` learns
    the weights, `save` writes them, and `tritonkit fit-rule` does both.

    Args:
        weights: The path of a JSON file, or what it holds: "bias", "weights" by the names
            of features, "threshold". The features are "words", "characters",
            "tokens", "elements" (logarithms of one more than their number),
            "clauses" (likewise, the signs between them), "question", "verb", "digit" (0 or 1).
        threshold: A probability, in place of that of the file.
        otherwise: See `RowRule`.

    Raises:
        ConfigError: If the file cannot be read, or holds something else.
    """

    reads = "arrays of rows"
    fewest = 10
    """Samples of each kind that are needed: of fewer, it would learn their accidents."""

    def __init__(
        self,
        weights: str | Mapping[str, Any],
        *,
        threshold: str | float | None = None,
        otherwise: Otherwise = "dear",
    ) -> None:
        super().__init__(otherwise)
        self.file = weights if isinstance(weights, str) else None
        held = _read(weights) if isinstance(weights, str) else weights
        name = f"weights {weights!r}" if isinstance(weights, str) else "weights"
        self.bias, self.weights, given = _checked(held, name)
        self.threshold = given if threshold is None else parse_share(threshold, name="threshold")

    def __repr__(self) -> str:
        shown = repr(self.file) if self.file else f"{{{', '.join(self.weights)}}}"
        return f"LearnedRule({shown}, threshold={self.threshold:g})"

    def verdicts(self, request: InferRequest) -> Sequence[bool] | None:
        """Whether each row is dear."""
        numbers = features(request, tuple(self.weights))
        if numbers is None:
            return None
        score = numbers @ np.array(list(self.weights.values()), dtype=np.float64) + self.bias
        return [bool(p > self.threshold) for p in logistic(score)]

    @classmethod
    def fit(
        cls,
        inputs: Tensors,
        dear: Sequence[bool],
        *,
        names: Sequence[str] = FEATURES,
        threshold: str | float = 0.5,
    ) -> LearnedRule:
        """
        Learn from samples.

        Args:
            inputs: As of one request, rows first: an array for each input.
            dear: Of each row, whether it was, such as where the small model erred.
            names: The features to use.
            threshold: At 0.5 a row is dear that is likelier dear than not. Less where a
                wrong answer costs more than a dear one: p / (1 - p) is what a dear
                answer costs over what a wrong one does.

        Raises:
            ConfigError: If there are fewer than ten rows of either kind, or the
                inputs have not a row for each.
        """
        y = np.asarray(dear, dtype=np.bool_)
        fewer = min(int(y.sum()), int((~y).sum())) if y.ndim == 1 else 0
        if fewer < cls.fewest:
            raise ConfigError(
                f"a rule is learned from {cls.fewest} rows of each kind or more, "
                f"but got {int(y.sum())} dear and {int((~y).sum())} simple ones."
            )
        _check_names(names, "names")
        x = features(InferRequest(model="", inputs=inputs), names)
        if x is None or len(x) != len(y):
            raise ConfigError(f"inputs must have a row for each of {len(y)} samples.")
        weights, bias = fit_logistic(x, y)
        kept = dict(zip(names, map(float, weights), strict=True))
        share = parse_share(threshold, name="threshold")
        return cls({"bias": bias, "weights": kept, "threshold": share})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a JSON file."""
        held = {
            "format": _FORMAT,
            "bias": self.bias,
            "weights": self.weights,
            "threshold": self.threshold,
        }
        Path(path).write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")


def _read(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"weights {path!r} cannot be read: {error}") from error


def _checked(held: Any, name: str) -> tuple[float, dict[str, float], float]:
    if not isinstance(held, Mapping) or not isinstance(held.get("weights"), Mapping):
        raise ConfigError(f"{name} must hold a bias and weights by feature, but got {held!r:.60}.")
    if held.get("format", _FORMAT) != _FORMAT:
        raise ConfigError(f"{name} must be of format {_FORMAT}, but got {held['format']!r}.")
    _check_names(held["weights"], name)
    numbers = {"bias": held.get("bias", 0.0), **held["weights"]}
    for key, value in numbers.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise ConfigError(f"{name} must have a number for {key!r}, but got {value!r}.")
    threshold = parse_share(held.get("threshold", 0.5), name="threshold")
    bias = float(numbers.pop("bias"))
    return bias, {key: float(value) for key, value in numbers.items()}, threshold


def _check_names(names: Any, name: str) -> None:
    unknown = [repr(one) for one in names if one not in FEATURES]
    if unknown:
        raise ConfigError(f"{name} must be of {', '.join(FEATURES)}, but got {', '.join(unknown)}.")
