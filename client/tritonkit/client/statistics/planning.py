"""How many units an experiment takes, before it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log, sqrt
from statistics import NormalDist

from tritonkit.client.statistics.interval import check_alpha
from tritonkit.client.statistics.means import LEAST, radius
from tritonkit.client.statistics.proportions import MOST, evidence_above, evidence_below
from tritonkit.errors import ConfigError

__all__ = ["Plan", "plan_mean", "plan_rate", "plan_threshold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What an effect takes to be seen.

    Args:
        units: Of all arms together, by which it is seen with the power that was asked
            for. Half of the experiments see it earlier than about `typical`.
        typical: Of all arms, where the average data decide.
        fixed: What a test takes that is looked at once, at the end, by the normal
            approximation. The price of peeking is `units / fixed`.
        tuned_for: To give to the sequences.
    """

    units: int
    typical: int
    fixed: int
    tuned_for: int


def plan_mean(
    effect: float,
    deviation: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    treated: float = 0.5,
    correlation: float = 0.0,
) -> Plan:
    """
    Units until a difference of means is seen by `difference_sequence`.

    Args:
        effect: The least difference that matters, in the unit of the values; not 0.
        deviation: The standard deviation of a unit's value.
        alpha: Of the sequence.
        power: The share of experiments with that effect which see it.
        treated: The share of units in the treatment, between 0 and 1.
        correlation: With the past, for `cuped`: variance falls by its square.

    Returns:
        By the formula: the boundary, tuned for that very number, and the normal quantile of the
        power times the standard error make the effect. Slightly high, since a
        sequence may cross earlier and not be beyond at the end.

    Raises:
        ConfigError: If an argument is out of its range, or 1e9 units would not do.
    """
    _check(alpha, power)
    if not (deviation > 0 and effect != 0 and 0 < treated < 1 and -1 < correlation < 1):
        raise ConfigError(
            "a plan needs an effect, a deviation, and a share and a correlation below 1, but got "
            f"{effect=}, {deviation=}, {treated=} and {correlation=}."
        )
    variance = deviation**2 * (1 - correlation**2) * (1 / treated + 1 / (1 - treated))
    least = ceil(LEAST / min(treated, 1 - treated))

    def seen(n: int, z: float) -> bool:
        reach = float(radius(n, variance, alpha=alpha, tuned_for=n))
        return abs(effect) >= reach + z * sqrt(variance / n)

    return _plan(seen, _fixed(variance, abs(effect), alpha / 2, power), alpha, power, least)


def plan_rate(
    control: float,
    effect: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    treated: float = 0.5,
    correlation: float = 0.0,
) -> Plan:
    """
    Units until a difference of rates is seen by `difference_sequence`.

    Args:
        control: The control's rate, 0 to 1.
        effect: What the treatment's rate is above it, or below if negative.
        alpha: Of the sequence.
        power: As in `plan_mean`, whose formula this is with each arm's own variance.
        treated: The share of units in the treatment.
        correlation: With the past, for `cuped`.
    """
    treatment = control + effect
    if not (0 <= control <= 1 and 0 <= treatment <= 1 and 0 < treated < 1):
        raise ConfigError(f"rates must be 0 to 1, but got {control=} and {effect=}.")
    parts = ((treatment, treated), (control, 1 - treated))
    variance = sum(rate * (1 - rate) / share for rate, share in parts)
    # The deviation of which plan_mean makes this variance.
    deviation = sqrt(variance * treated * (1 - treated))
    return plan_mean(
        effect, deviation, alpha=alpha, power=power, treated=treated, correlation=correlation
    )


def plan_threshold(
    rate: float, tolerated: float, *, alpha: float = 0.05, power: float = 0.8
) -> Plan:
    """
    Rows until a rate is known to be above or below what is tolerated, as a shadow's verdict.

    Args:
        rate: What the rate is.
        tolerated: What it must not exceed; other than *rate*.
        alpha: Of `evidence_above` and `evidence_below`.
        power: The share of sequences that are decided by `units`.
    """
    _check(alpha, power)
    if not (0 <= rate <= 1 and 0 < tolerated < 1) or rate == tolerated:
        raise ConfigError(f"the rates must be 0 to 1 and differ, but got {rate=}, {tolerated=}.")
    above = rate > tolerated
    evidence, away = (evidence_above, -1) if above else (evidence_below, 1)

    def seen(n: int, z: float) -> bool:
        count = n * rate + away * z * sqrt(n * rate * (1 - rate))
        return evidence(min(float(n), max(0.0, count)), n, tolerated) >= log(1 / alpha)

    quantile = NormalDist().inv_cdf
    spread = quantile(1 - alpha) * sqrt(tolerated * (1 - tolerated))
    spread += quantile(power) * sqrt(rate * (1 - rate))
    fixed = ceil((spread / (rate - tolerated)) ** 2)
    return _plan(seen, fixed, alpha, power, 1)


def _plan(
    seen: Callable[[int, float], bool], fixed: int, alpha: float, power: float, least: int
) -> Plan:
    units = _first(lambda n: seen(n, NormalDist().inv_cdf(power)), least)
    typical = _first(lambda n: seen(n, 0.0), least)
    return Plan(units=units, typical=min(units, typical), fixed=fixed, tuned_for=units)


def _fixed(variance: float, effect: float, tail: float, power: float) -> int:
    quantile = NormalDist().inv_cdf
    return ceil(variance * ((quantile(1 - tail) + quantile(power)) / effect) ** 2)


def _first(enough: Callable[[int], bool], least: int) -> int:
    low, high = least - 1, least
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST:
            raise ConfigError("1e9 units would not show so small an effect.")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(alpha: float, power: float) -> None:
    check_alpha(alpha)
    if not 0.5 <= power < 1:
        raise ConfigError(f"power must be 0.5 to less than 1, but got {power=}.")
