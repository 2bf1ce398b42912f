"""A logistic regression, for a few numbers a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_logistic", "logistic"]

_STEPS = 50
_ENOUGH = 1e-9


def logistic(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of which *score* is the logit."""
    # Of a large negative number exp overflows in one form, of a positive one in the other.
    small = np.exp(-abs(score))
    return np.where(score >= 0, 1.0, small) / (1.0 + small)


def fit_logistic(
    x: NDArray[np.float64], y: NDArray[np.bool_], *, ridge: float = 1.0
) -> tuple[NDArray[np.float64], float]:
    """
    The weights and the bias that make *y* the likeliest, given a prior.

    Args:
        x: Shape (rows, features).
        y: Shape (rows,), with both values among them.
        ridge: Of the squared weights of standardised features, half of it is added to the
            negative log likelihood: a normal prior of variance 1 / ridge. Above 0,
            so that there is an end to weights where the classes are separable.

    Returns:
        For x as it is given; the weight of a constant feature is 0.

    Newton's method with halved steps: the function is strictly convex.
    """
    mean, scale = x.mean(axis=0), x.std(axis=0)
    varies = scale > 1e-12 * np.maximum(1.0, abs(mean))
    scale = np.where(varies, scale, 1.0)
    design = np.column_stack([np.ones(len(x)), np.where(varies, (x - mean) / scale, 0.0)])
    prior = np.full(design.shape[1], ridge)
    prior[0] = 0.0
    beta = np.zeros(design.shape[1])
    loss = _loss(design, y, beta, prior)
    for _ in range(_STEPS):
        p = logistic(design @ beta)
        gradient = design.T @ (p - y) + prior * beta
        hessian = (design.T * (p * (1 - p))) @ design + np.diag(prior)
        step = np.linalg.solve(hessian, gradient)
        while (new := _loss(design, y, beta - step, prior)) > loss and abs(step).max() > _ENOUGH:
            step = step / 2
        if abs(step).max() <= _ENOUGH:
            break
        beta, loss = beta - step, new
    weights = np.where(varies, beta[1:] / scale, 0.0)
    return weights, float(beta[0] - weights @ mean)


def _loss(
    design: NDArray[np.float64],
    y: NDArray[np.bool_],
    beta: NDArray[np.float64],
    prior: NDArray[np.float64],
) -> float:
    score = design @ beta
    return float(np.logaddexp(0.0, np.where(y, -score, score)).sum() + prior @ beta**2 / 2)
