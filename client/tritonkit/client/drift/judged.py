"""What labels, and a better model, say of the rows of a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.drift.calibrated import Calibrated
from tritonkit.client.layers.tiers.confidence import labels as likeliest
from tritonkit.client.layers.tiers.confidence import probabilities
from tritonkit.client.types import Tensors
from tritonkit.errors import ConfigError

__all__ = ["classes_of", "judged_by"]


def classes_of(outputs: Tensors) -> str:
    """The only output that is probabilities; empty where there is none, or no telling."""
    found = [
        name
        for name, rows in outputs.items()
        if rows.dtype.kind == "f"
        and rows.ndim == 2
        and rows.shape[1] > 1
        and (rows >= 0).all()
        and (np.abs(rows.astype(np.float64).sum(axis=1) - 1) < 0.01).all()
    ]
    return found[0] if len(found) == 1 else ""


def judged_by(
    rows: NDArray[Any],
    labels: Sequence[int] | NDArray[Any] | None,
    better: NDArray[Any] | None,
) -> dict[str, Any]:
    """What a profile has of them: its calibration, and accuracy and agreement where known."""
    shares = probabilities("classes", rows)
    confidences = np.minimum(shares.max(axis=-1), 1.0).reshape(len(rows), -1).min(axis=1)
    given = likeliest(shares)
    judged: dict[str, Any] = {"calibrated": Calibrated.identity()}
    if labels is not None:
        right = _right(given, np.asarray(labels))
        judged["calibrated"] = Calibrated.of(confidences, right)
        judged |= {"labels": len(right), "accuracy": float(right.mean())}
    if better is not None:
        if better.shape != rows.shape:
            raise ConfigError(
                f"a better model must answer {list(rows.shape)}, but got {list(better.shape)}."
            )
        judged["agreement"] = float((given == likeliest(better)).all(axis=1).mean())
    return judged


def _right(given: NDArray[np.intp], labels: NDArray[Any]) -> NDArray[np.bool_]:
    if labels.dtype.kind not in "iu":
        raise ConfigError(f"labels must be whole numbers, but got {labels.dtype}.")
    if len(labels) != len(given):
        raise ConfigError(
            f"there must be a label for each of {len(given)} rows, not {len(labels)}."
        )
    right: NDArray[np.bool_] = (given == labels.reshape(len(labels), -1)).all(axis=1)
    return right
