"""Comparators of probability distributions."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.shadow.comparator import Comparator, at_least
from tritonkit.client.layers.tiers.confidence import probabilities

__all__ = ["JensenShannon", "KullbackLeibler"]


class _Divergence(Comparator):
    def __init__(self, threshold: float = 0.01) -> None:
        self.threshold = self.tolerance = at_least(threshold, 0, math.inf, "threshold")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.threshold:g})"

    def distances(self, primary: NDArray[Any], shadow: NDArray[Any]) -> NDArray[np.float64]:
        """
        The divergence of each row, in nats, in its worst position.

        Raises:
            ConfigError: If the arrays are no floats, or there is one class only.
        """
        p, q = (probabilities("compared", values) for values in (primary, shadow))
        # Sums of FP16's probabilities are a little off 1.
        p, q = (shares / shares.sum(axis=-1, keepdims=True) for shares in (p, q))
        nats = self._nats(p, q).reshape(len(primary), -1)
        worst: NDArray[np.float64] = np.maximum(nats.max(axis=1), 0.0)
        return worst

    @abstractmethod
    def _nats(self, p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each distribution."""


class KullbackLeibler(_Divergence):
    """
    What is lost by taking the shadow's distribution for the primary's.

    Classes are along the last axis: probabilities, or logits, of which the softmax is taken.
    Not symmetric; infinite where the shadow rules out what the primary does not.

    Args:
        threshold: In nats. 0.01 is about the distance of 50 % from 57 %.

    Raises:
        ConfigError: If the threshold is negative.
    """

    symmetric = False

    def _nats(self, p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
        return _relative(p, q)


class JensenShannon(_Divergence):
    """
    How far two distributions are from their middle: 0 to ln 2, and symmetric.

    Classes are along the last axis: probabilities, or logits, of which the softmax is taken.

    Args:
        threshold: In nats. 0.01 is about the distance of 50 % from 64 %.

    Raises:
        ConfigError: If the threshold is negative.
    """

    def _nats(self, p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
        middle = (p + q) / 2
        nats: NDArray[np.float64] = (_relative(p, middle) + _relative(q, middle)) / 2
        return nats


def _relative(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.log(np.where(p > 0, p, 1.0)) - np.log(np.where(p > 0, q, 1.0))
    nats: NDArray[np.float64] = (p * logs).sum(axis=-1)
    return nats
