"""Less noise in a comparison, by what the units did before it began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tritonkit.client.statistics.moments import Comoments, Moments

__all__ = ["Adjusted", "CupedArm", "cuped"]


@dataclass(frozen=True, slots=True)
class CupedArm:
    """
    What is kept of an arm's units.

    Args:
        known: Pairs of what a unit did before (x) and since (y), of units with a past.
        new: What the units without one did.
    """

    known: Comoments = field(default_factory=Comoments)
    new: Moments = field(default_factory=Moments)

    def add(self, value: float, before: float | None) -> CupedArm:
        """With one more unit; *before* is None where it has no past."""
        if before is None:
            return CupedArm(self.known, self.new.add(value))
        return CupedArm(self.known.add(before, value), self.new)

    def merge(self, other: CupedArm) -> CupedArm:
        """Of the units of both."""
        return CupedArm(self.known.merge(other.known), self.new.merge(other.new))

    @property
    def raw(self) -> Moments:
        """As if nothing were known of the past."""
        return self.known.y.merge(self.new)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """
    Arms made comparable.

    Args:
        arms: Moments of each arm, for `difference_sequence` and `relative_sequence`.
        coefficient: Of the regression on the past, in units of y per unit of x.
        removed: The share of the variance that is gone, 0 to 1; about the square of
            the correlation, times the share of units with a past.
    """

    arms: tuple[Moments, ...]
    coefficient: float
    removed: float


def cuped(arms: Sequence[CupedArm]) -> Adjusted:
    """
    Take out of each value what the unit's past explains.

    From the value of a unit, coefficient * (its past less the mean past of all arms) is
    taken. Assumes that the past is what was before the assignment, so that the arm
    cannot have changed it; then the difference of the arms has the same expectation, up
    to terms of 1 / n, and less variance. A unit without a past stays as it is. The coefficient is
    pooled from within the arms, so that an effect does not enter it.

    The adjusted moments are for differences between these arms. The mean of one
    arm alone is not more certain than before: `raw` is for its interval.

    Args:
        arms: All arms of the experiment that have units.

    Source: Deng, Xu, Kohavi and Walker, Improving the sensitivity of online
    controlled experiments by utilizing pre-experiment data (2013).
    """
    squares = sum(arm.known.x.m2 for arm in arms)
    coefficient = sum(arm.known.co for arm in arms) / squares if squares > 0 else 0.0
    past = Moments()
    for arm in arms:
        past = past.merge(arm.known.x)
    adjusted = tuple(_adjusted(arm, coefficient, past.mean) for arm in arms)
    before = sum(arm.raw.m2 for arm in arms)
    after = sum(arm.m2 for arm in adjusted)
    return Adjusted(adjusted, coefficient, max(0.0, 1 - after / before) if before > 0 else 0.0)


def _adjusted(arm: CupedArm, coefficient: float, past: float) -> Moments:
    x, y = arm.known.x, arm.known.y
    m2 = y.m2 - 2 * coefficient * arm.known.co + coefficient**2 * x.m2
    known = Moments(y.n, y.mean - coefficient * (x.mean - past), max(0.0, m2))
    return known.merge(arm.new)
