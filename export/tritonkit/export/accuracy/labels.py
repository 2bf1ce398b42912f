"""Right answers as classes of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["class_indices"]


def class_indices(labels: NDArray[Any], classes: Sequence[str], count: int) -> NDArray[np.int64]:
    """
    The index of the class that each of *labels* names.

    They name classes where all of them do, as words; else they are indices.

    Args:
        labels: Right answers, shape (samples,).
        classes: Names of the classes; empty where they have none.
        count: How many classes there are.

    Raises:
        ConfigError: If one is neither the name of a class nor its index.
    """
    places = {name: index for index, name in enumerate(classes)}
    named = [places.get(_word(label), -1) for label in labels.tolist()]
    if min(named) >= 0:
        return np.array(named, np.int64)
    if max(named) < 0:
        indices = [_index(label) for label in labels.tolist()]
        if all(0 <= index < count for index in indices):
            return np.array(indices, np.int64)
        wrong = next(at for at, index in enumerate(indices) if not 0 <= index < count)
    else:
        wrong = named.index(-1)
    shown = ", ".join(list(classes)[:8]) + (", ..." if len(classes) > 8 else "")
    known = f"one of {shown}, or " if classes else ""
    raise ConfigError(
        f"the label of sample {wrong} must be {known}a class from 0 to {count - 1}, "
        f"but got {labels.tolist()[wrong]!r}."
    )


def _word(label: Any) -> str:
    """1.0 of a column of floats is class 1."""
    return str(int(label) if isinstance(label, float) and label.is_integer() else label)


def _index(label: Any) -> int:
    if isinstance(label, int) or (isinstance(label, float) and label.is_integer()):
        return int(label)
    return -1
