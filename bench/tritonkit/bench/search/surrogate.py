"""What is believed of a figure at every candidate, from those that were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["Belief", "believe", "encode"]

_Floats = NDArray[np.float64]

_LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""In widths of a setting's whole range: from a bend at each value to none at all."""

_AMPLITUDES = (0.5, 1.0, 2.0)
_OWN = (0.0, 0.03, 0.06, 0.12)
"""How far one candidate lies beside those that are alike, as standard deviations."""

_USUAL_OWN = 0.06
_ROUNDS = 2
_OFFSET = 1.0
"""Standard deviation of what is common to all candidates, a factor of e."""

_SLOPE = 1.0
_JITTER = 1e-9


@dataclass(frozen=True, slots=True)
class Belief:
    """
    A normal distribution over all candidates together.

    Args:
        mean: Shape (candidates,).
        covariance: Shape (candidates, candidates).
        noise: What runs lie beside the truth by, beyond what each shows itself.
    """

    mean: _Floats
    covariance: _Floats
    noise: float = 0.0

    @property
    def spread(self) -> _Floats:
        """The standard deviation of each candidate."""
        spread: _Floats = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        return spread

    def draws(self, chosen: NDArray[np.int64], count: int, rng: np.random.Generator) -> _Floats:
        """Values of some candidates, drawn together; shape (count, chosen)."""
        root = _root(self.covariance[np.ix_(chosen, chosen)])
        drawn: _Floats = self.mean[chosen] + rng.standard_normal((count, len(chosen))) @ root.T
        return drawn


def encode(factors: Sequence[Sequence[float | str]]) -> _Floats:
    """
    Candidates as places in a cube.

    Numbers take places by their order, so that 1, 2, 4, ..., 256 are as far from each
    other as they are meant to be. Texts have a dimension for each value.

    Args:
        factors: Of each candidate, the same number for all.

    Returns:
        Shape (candidates, dimensions), 0 to 1; a setting that never changes has none.
    """
    columns: list[_Floats] = []
    for values in zip(*factors, strict=True):
        distinct = set(values)
        if len(distinct) < 2:
            continue
        if all(isinstance(value, (int, float)) for value in distinct):
            order = {v: i for i, v in enumerate(sorted(distinct, key=float))}
            columns.append(np.array([order[v] for v in values]) / (len(distinct) - 1))
        else:
            columns.extend(
                np.array([float(value == one) for value in values]) * 0.7
                for one in sorted(map(str, distinct))
            )
    return np.array(columns).T if columns else np.zeros((len(factors), 0))


def believe(
    places: _Floats,
    prior: _Floats,
    measured: NDArray[np.int64],
    values: _Floats,
    spreads: _Floats,
    *,
    moves: _Floats,
    sure_of_prior: float,
    noise: float,
    sloped: bool,
) -> Belief:
    """
    A Gaussian process around a prior.

    Its kernel is a constant, optionally a slope, a Matern kernel (5/2), and what each
    candidate has of its own: a model that is right in kind is wrong at one batch size
    and not at the next. Amplitudes and lengths are the most likely ones of a small grid.

    Args:
        places: Of all candidates, from `encode`.
        prior: What is expected at each without measuring.
        measured: Indices of measured candidates, each once.
        values: What was measured there.
        spreads: Standard deviations of that.
        moves: How far the prior is off, all candidates together, in each of several ways
            by a standard deviation; shape (candidates, ways).
        sure_of_prior: How far the truth lies beside the prior, as a standard deviation.
        noise: What runs lie beside the truth by, beyond what each shows itself.
        sloped: Whether figures rise or fall with settings beyond the prior.
    """
    if not len(measured):
        raise ConfigError("nothing was measured yet.")
    off = values - prior[measured]
    errors = np.diag(spreads**2 + _JITTER)
    known, one_each = places[measured], np.eye(len(measured))

    common = _OFFSET**2 + moves @ moves.T
    if sloped:
        common += _SLOPE**2 * places @ places.T
    trend = common[np.ix_(measured, measured)] + errors

    def likelihood(amplitude: float, lengths: _Floats, own: float) -> float:
        kernel = trend + amplitude**2 * _matern(_distances(known, known, lengths))
        root = np.linalg.cholesky(kernel + own**2 * one_each)
        white = np.linalg.solve(root, off)
        # A mild pull towards lengths of the whole range.
        pull = 0.5 * float((np.log(lengths) ** 2).sum()) * 0.5
        # And towards what is usual.
        pull += 0.5 * abs(_OWN.index(own) - _OWN.index(_USUAL_OWN))
        return -0.5 * float(white @ white) - float(np.log(np.diag(root)).sum()) - pull

    amplitude, lengths, own = sure_of_prior, np.ones(places.shape[1]), _USUAL_OWN
    for _ in range(_ROUNDS):
        for index in range(len(lengths)):
            tried = [np.where(np.arange(len(lengths)) == index, n, lengths) for n in _LENGTHS]
            lengths = max(tried, key=lambda one: likelihood(amplitude, one, own))
        sizes = [sure_of_prior * factor for factor in _AMPLITUDES]
        amplitude = max(sizes, key=lambda one: likelihood(one, lengths, own))
        own = max(_OWN, key=lambda one: likelihood(amplitude, lengths, one))
    whole = common + amplitude**2 * _matern(_distances(places, places, lengths))
    whole += own**2 * np.eye(len(places))
    cross = whole[:, measured]
    inverse = np.linalg.inv(cross[measured] + errors)
    return Belief(prior + cross @ inverse @ off, whole - cross @ inverse @ cross.T, noise)


def _distances(left: _Floats, right: _Floats, lengths: _Floats) -> _Floats:
    """Of all pairs, a dimension at a time: thousands of candidates have millions of pairs."""
    squares = np.zeros((len(left), len(right)))
    for column, length in enumerate(lengths):
        squares += ((left[:, None, column] - right[None, :, column]) / length) ** 2
    return np.sqrt(squares, out=squares)


def _matern(distances: _Floats) -> _Floats:
    distance = np.sqrt(5.0) * distances
    kernel: _Floats = (1 + distance + distance**2 / 3) * np.exp(-distance)
    return kernel


def _root(covariance: _Floats) -> _Floats:
    """A matrix whose product with its transpose it is; rounding may have made it negative."""
    jitter = 1e-9 * np.eye(len(covariance))
    root: _Floats
    try:
        root = np.asarray(np.linalg.cholesky(covariance + jitter), dtype=np.float64)
    except np.linalg.LinAlgError:
        scale, axes = np.linalg.eigh(covariance)
        root = np.asarray(axes * np.sqrt(np.maximum(scale, 0.0)), dtype=np.float64)
    return root
