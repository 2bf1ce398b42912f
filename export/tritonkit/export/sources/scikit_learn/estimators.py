"""The estimators that an estimator of scikit-learn is made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["fitted_type", "nested", "without_search"]

_NAMED = ("steps", "transformers_", "transformer_list")
_ONE = ("best_estimator_", "estimator_", "final_estimator_", "regressor_", "transformer_")


def nested(model: Any) -> Iterator[tuple[str, Any]]:
    """Each fitted estimator in *model*, itself first, and the name of its step, if it has one."""
    waiting = deque([("", model)])
    while waiting:
        name, estimator = waiting.popleft()
        yield name, estimator
        parts = [part[:2] for key in _NAMED for part in getattr(estimator, key, ())]
        parts += [("", getattr(estimator, key, None)) for key in _ONE]
        parts += [("", one) for one in _flat(getattr(estimator, "estimators_", ()))]
        # A calibrated classifier is no estimator itself.
        calibrated = getattr(estimator, "calibrated_classifiers_", ())
        parts += [("", one.estimator) for one in calibrated]
        waiting += [(str(step), one) for step, one in parts if hasattr(one, "get_params")]


def without_search(model: Any) -> Any:
    """What a search for hyperparameters found, or *model* itself."""
    return getattr(model, "best_estimator_", model)


def fitted_type(model: Any) -> type[np.float32] | type[np.float64]:
    """
    The type of the numbers that *model* was fitted on, and is to be asked with.

    Asked with the other one, some transformers round otherwise than when they were fitted,
    so that trees behind them take other branches, and clusterers fail. scikit-learn does not
    keep it; an estimator that was fitted on float32 learnt float32.
    """
    learnt = (value for _, step in nested(model) for value in vars(step).values())
    single = any(isinstance(one, np.ndarray) and one.dtype == np.float32 for one in learnt)
    return np.float32 if single else np.float64


def _flat(estimators: Any) -> list[Any]:
    """Of a list, or an array of any shape, whose estimators may be lists in numpy's eyes."""
    if isinstance(estimators, np.ndarray):
        return list(estimators.flat)
    return list(estimators)
