"""The threshold under which a cheap model's answers agree with a dear one's, surely enough."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, inf, isnan, lgamma, log, log1p, nextafter

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError

__all__ = ["Calibration", "calibrate", "samples_needed", "upper_bound"]

_HALVINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """
    What was found on samples.

    Args:
        samples: Rows that both models answered.
        agreement: What was asked for.
        confidence: With which it holds.
        disagreeing: Rows on which the models differ, over all.
        most: Rows that may differ below the cheap answers that stand, so that the
            bound holds; -1 where the samples are too few for any.
        threshold: Rows with a lower score go on; None if none is known to do.
        escalated: Rows of the samples that go on.
        differing: Rows of the samples that do not, and differ.
        bound: What the share of rows answered otherwise than by the dear model
            does not exceed, at this confidence; 1 without a threshold.
        needed: Samples with which a threshold may be found, if nothing differs.
    """

    samples: int
    agreement: float
    confidence: float
    disagreeing: int
    most: int
    threshold: float | None
    escalated: int
    differing: int
    bound: float
    needed: int

    @property
    def share(self) -> float:
        """The share of rows that go on to the dear model."""
        return self.escalated / self.samples if self.samples else 1.0

    @property
    def reason(self) -> str:
        """Why there is no threshold; empty where there is one."""
        if self.threshold is not None:
            return ""
        if self.most < 0:
            return (
                f"{self.samples} samples are too few to know of {self.agreement:.4g} agreement "
                f"with {self.confidence:.4g} confidence: at least {self.needed} are needed, and "
                "more where the models differ"
            )
        return (
            "the models differ on the very rows that the fast one is surest of: only sending "
            "every row on would hold the agreement"
        )


def calibrate(
    scores: NDArray[np.float64],
    agreeing: NDArray[np.bool_],
    *,
    agreement: float,
    confidence: float = 0.95,
) -> Calibration:
    """
    Find the lowest threshold that holds an agreement, with a confidence.

    A row that scores lower than the threshold is answered by the dear model and
    agrees; the loss is the share of all rows that are not and differ. It can only
    fall as the threshold rises. So thresholds are tested from the highest down,
    each by the exact bound of Clopper and Pearson, and the last one that holds is
    taken: in this fixed sequence, the choice among them costs no confidence.
    With probability *confidence* over the draw of the samples, rows like them
    agree as often as was asked for.

    Args:
        scores: Of the cheap model's answers, shape (samples,); NaN is never sure.
        agreeing: Whether the dear model answered the same.
        agreement: 0 to less than 1.
        confidence: Below 1.

    Raises:
        ConfigError: If agreement or confidence is not within its range.

    Source: Angelopoulos et al., Learn then Test (2021), fixed sequence testing;
    Bates et al., Risk-controlling prediction sets (2021), for the monotone loss.
    """
    if not 0 <= agreement < 1:
        raise ConfigError(
            f"agreement must be 0 to less than 1, which no number of samples shows, but got "
            f"{agreement=}."
        )
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence must be between 0 and 1, but got {confidence=}.")
    samples = len(scores)
    allowed = 1 - agreement
    most = _most(samples, allowed, confidence)
    wrong = np.sort(scores[~agreeing & ~np.isnan(scores)])[::-1]
    threshold: float | None = None
    if most >= 0:
        # All of these may stand; the next one must go on.
        threshold = _above(scores, float(wrong[most])) if len(wrong) > most else -inf
    kept = scores >= threshold if threshold is not None else np.zeros(samples, np.bool_)
    if threshold is not None and samples and not kept.any():
        threshold = None
    differing = int((kept & ~agreeing).sum())
    return Calibration(
        samples=samples,
        agreement=agreement,
        confidence=confidence,
        disagreeing=int((~agreeing).sum()),
        most=most,
        threshold=threshold if threshold != -inf else min(0.0, _lowest(scores)),
        escalated=samples - int(kept.sum()),
        differing=differing,
        bound=1.0 if threshold is None else upper_bound(differing, samples, confidence),
        needed=samples_needed(agreement, confidence),
    )


def upper_bound(failures: int, trials: int, confidence: float) -> float:
    """
    What the probability of a failure does not exceed, by Clopper and Pearson.

    Args:
        failures: That were seen.
        trials: In so many.
        confidence: Below 1.

    Returns:
        The p with P(Binomial(trials, p) <= failures) = 1 - confidence.
    """
    if failures >= trials:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(failures, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def samples_needed(agreement: float, confidence: float) -> int:
    """Samples with which an agreement below 1 may be known, if nothing differs."""
    return 1 if agreement <= 0 else ceil(log(1 - confidence) / log(agreement))


def _most(samples: int, allowed: float, confidence: float) -> int:
    """The most failures among *samples* whose bound is within *allowed*; -1 if none is."""
    # The bound grows with the failures, and is no less than their share.
    low, high = -1, int(samples * allowed)
    while low < high:
        middle = (low + high + 1) // 2
        if _at_most(middle, samples, allowed) <= 1 - confidence:
            low = middle
        else:
            high = middle - 1
    return low


def _above(scores: NDArray[np.float64], score: float) -> float:
    """A threshold that sends *score* on, halfway to the next greater one."""
    greater = scores[scores > score]
    if not len(greater):
        return nextafter(score, inf)
    middle = score + (float(greater.min()) - score) / 2
    return middle if middle > score else float(greater.min())


def _lowest(scores: NDArray[np.float64]) -> float:
    known = scores[~np.isnan(scores)]
    return float(known.min()) if len(known) else 0.0


def _at_most(failures: int, trials: int, probability: float) -> float:
    """P(Binomial(trials, probability) <= failures), by logarithms so that none vanishes."""
    if probability <= 0:
        return 1.0
    if probability >= 1:
        return 0.0 if failures < trials else 1.0
    yes, no = log(probability), log1p(-probability)
    whole = lgamma(trials + 1)
    terms = [
        whole - lgamma(count + 1) - lgamma(trials - count + 1) + count * yes + (trials - count) * no
        for count in range(failures + 1)
    ]
    largest = max(terms)
    total = exp(largest) * sum(exp(term - largest) for term in terms)
    return 1.0 if isnan(total) else min(1.0, total)
