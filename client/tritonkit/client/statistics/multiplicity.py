"""Many metrics and arms at once: what may be called an effect, and how wide intervals are."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isnan, log

from tritonkit.client.statistics.interval import check_alpha
from tritonkit.errors import ConfigError

__all__ = ["bonferroni", "e_bh", "evidence_of_p"]


def e_bh(log_evidences: Sequence[float], alpha: float = 0.05) -> list[bool]:
    """
    Which hypotheses are rejected, so that of those a share of alpha is true, on average.

    The k largest e-values are rejected for the largest k of which each is at least
    count / (alpha k). Holds for e-values that depend on each other in any way, as the
    metrics of one experiment do, and at whatever look one stops.

    Args:
        log_evidences: One for each hypothesis, in nats.
        alpha: The false discovery rate.

    Returns:
        In the order of the hypotheses.

    Raises:
        ConfigError: If one is NaN, or alpha is not between 0 and 1.

    Source: Wang and Ramdas, False discovery rate control with e-values (2022).
    """
    check_alpha(alpha)
    if any(isnan(evidence) for evidence in log_evidences):
        raise ConfigError(f"a log e-value must be a number, but got {list(log_evidences)}.")
    count = len(log_evidences)
    threshold = None
    for k, evidence in enumerate(sorted(log_evidences, reverse=True), start=1):
        if evidence >= log(count / (alpha * k)):
            threshold = evidence
    return [threshold is not None and evidence >= threshold for evidence in log_evidences]


def bonferroni(alpha: float, count: int) -> float:
    """
    The alpha of each of *count* intervals that are shown, so that all hold together.

    With probability 1 - alpha no interval ever misses, however they depend on each other.
    """
    if count < 1:
        raise ConfigError(f"count must be at least 1, but got {count=}.")
    return check_alpha(alpha) / count


def evidence_of_p(p: float) -> float:
    """
    A log e-value for a p-value, where a test gives nothing else.

    It holds at every look if the p-value does. A p of 0.001 is worth no more
    than an e-value of 21.

    Source: Vovk and Wang, E-values: calibration, combination and applications (2021):
    p^(k - 1) k mixed over k from 0 to 1.
    """
    if not 0 < p <= 1:
        raise ConfigError(f"p must be above 0 and at most 1, but got {p=}.")
    x = -log(p)
    if x < 1e-3:
        # The ratio below cancels here; this is its series.
        return log(0.5 + x / 6)
    return log(1 - exp(-x) * (1 + x)) + x - 2 * log(x)
