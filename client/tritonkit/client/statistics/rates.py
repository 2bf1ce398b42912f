"""Two rates compared at every look, exactly: their difference and their ratio."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log, log1p, nan, pi
from typing import NamedTuple

from tritonkit.client.statistics.interval import Interval, check_alpha, edge
from tritonkit.client.statistics.special import log_beta
from tritonkit.errors import ConfigError

__all__ = ["Trials", "rate_difference", "rate_evidence", "rate_ratio"]

_HALVINGS = 44
"""The summit is flat: a rate off by 6e-14 changes no evidence by more than a millionth."""


class Trials(NamedTuple):
    """Successes out of so many trials, as an arm has them."""

    successes: float
    n: float

    @property
    def rate(self) -> float:
        """The share of successes; NaN of no trials."""
        return self.successes / self.n if self.n else nan


def rate_difference(treatment: Trials, control: Trials, *, alpha: float = 0.05) -> Interval:
    """
    What the treatment's rate less the control's may be, at this and at every other look.

    Assumes that each arm's trials succeed with a probability of its own, whatever
    came before. The arms may have any sizes, and these may depend on what was seen, as
    in a bandit. Then, with probability 1 - alpha, the difference is inside at all looks.
    Exact for any counts, which costs: `difference_sequence` of many trials is a third
    narrower at 1,000 an arm and nearly half at 100,000.

    Each arm's mixture of `proportion_sequence` is a martingale at its true rate, so
    their product is one at the pair of true rates. What is returned are the
    differences of the pairs that the product does not reject.

    Args:
        treatment: Counts of the arm on trial.
        control: Counts of the arm it is compared with.
        alpha: The share of experiments in which the difference is ever outside.

    Returns:
        Differences of shares, -1 to 1.

    Source: Robbins (1970) for the mixture; the product as in Turner and Grünwald,
    Exact anytime-valid confidence intervals for contingency tables and beyond (2023).
    """
    _check(treatment, control)
    most = log(1 / check_alpha(alpha)) - _mixed(treatment) - _mixed(control)
    if not treatment.n or not control.n:
        return Interval(-1.0, 1.0, nan)
    estimate = treatment.rate - control.rate

    def refused(difference: float) -> bool:
        return _least(treatment, control, _Line(1.0, difference)) >= most

    return Interval(edge(refused, -1.0, estimate), edge(refused, 1.0, estimate), estimate)


def rate_ratio(treatment: Trials, control: Trials, *, alpha: float = 0.05) -> Interval:
    """
    By which share the treatment's rate is above the control's: 0.05 is 5 % more.

    Exact, as `rate_difference` is, and of the same pairs of rates. The upper end is
    inf before the control's first success.
    """
    _check(treatment, control)
    most = log(1 / check_alpha(alpha)) - _mixed(treatment) - _mixed(control)
    if not treatment.n or not control.n:
        return Interval(-1.0, inf, nan)
    estimate = treatment.rate / control.rate if control.successes else inf

    def refused(log_ratio: float) -> bool:
        return _least(treatment, control, _Line(exp(log_ratio), 0.0)) >= most

    # A rate that is 0 is approached from above.
    floor = 0.1 / max(treatment.n, control.n)
    inside = log(max(treatment.rate, floor)) - log(max(control.rate, floor))
    low = -1.0 if not treatment.successes else exp(edge(refused, -60.0, inside)) - 1
    high = inf if not control.successes else exp(edge(refused, 60.0, inside)) - 1
    return Interval(low, high, estimate - 1)


def rate_evidence(treatment: Trials, control: Trials, *, difference: float = 0.0) -> float:
    """
    The log e-value against "the rates differ by *difference*".

    The least of the product over all pairs of rates that do, so it is valid for each.

    Returns:
        In nats; log(1 / alpha) or more exactly where `rate_difference` leaves it out.
    """
    _check(treatment, control)
    if not -1 < difference < 1:
        raise ConfigError(f"difference must be between -1 and 1, but got {difference=}.")
    if not treatment.n or not control.n:
        return 0.0
    mixed = _mixed(treatment) + _mixed(control)
    return mixed + _least(treatment, control, _Line(1.0, difference))


class _Line(NamedTuple):
    """The pairs of rates where the treatment's is slope * the control's + offset."""

    slope: float
    offset: float


def _least(treatment: Trials, control: Trials, line: _Line) -> float:
    """The least log e-value of a pair of rates on a line, less what is the same for all pairs."""
    slope, offset = line
    low = max(0.0, -offset / slope)
    high = min(1.0, (1 - offset) / slope)
    if high <= low:
        # A corner, where one rate is 0 and the other 1.
        high = low
    s1, f1 = treatment.successes, treatment.n - treatment.successes
    s0, f0 = control.successes, control.n - control.successes

    def rising(p: float) -> bool:
        other = slope * p + offset
        return _over(f0, 1 - p) + slope * _over(f1, 1 - other) > _over(s0, p) + slope * _over(
            s1, other
        )

    p = _turn(rising, low, high)
    other = min(1.0, max(0.0, slope * p + offset))
    return -_likelihood(s0, f0, p) - _likelihood(s1, f1, other)


def _mixed(arm: Trials) -> float:
    return float(log_beta(arm.successes + 0.5, arm.n - arm.successes + 0.5)) - log(pi)


def _turn(rising: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if rising(middle):
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _over(count: float, share: float) -> float:
    if share > 0:
        return count / share
    return inf if count else 0.0


def _likelihood(successes: float, failures: float, p: float) -> float:
    yes = (successes * log(p) if p > 0 else -inf) if successes else 0.0
    no = (failures * log1p(-p) if p < 1 else -inf) if failures else 0.0
    return yes + no


def _check(*arms: Trials) -> None:
    for successes, n in arms:
        if not 0 <= successes <= n:
            raise ConfigError(f"successes must be 0 to n, but got {successes=} and {n=}.")
