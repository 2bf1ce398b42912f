"""What an experiment says in words: its verdict, and what stands against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tritonkit.client.experiments.log import Loss
from tritonkit.client.experiments.report import ArmReport, Effect, VersionSpan
from tritonkit.client.statistics.sample_ratio import SampleRatio

__all__ = ["Findings", "verdict", "warnings"]

WARMTH = 0.1
"""Difference of the shares that the model computed, from which latencies are told to differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """
    What the words are made of.

    Args:
        experiment: Its name.
        version: That is looked at.
        versions: All of them.
        arms: The control first.
        effects: Against it.
        sample_ratio: None where the weights are not known.
        crossed: Units with answers of another arm than their own.
        unexposed: Units with answers whose exposure is not recorded.
        unknown: Outcomes of answers that are none of the experiment's.
        joined: Outcomes of answers that are.
        losses: Of the log.
        decides: Name of the metric that does; may be empty.
        bandit: Whether weights followed the outcomes.
    """

    experiment: str
    version: str
    versions: tuple[VersionSpan, ...]
    arms: tuple[ArmReport, ...]
    effects: tuple[Effect, ...]
    sample_ratio: SampleRatio | None
    crossed: int
    unexposed: int
    unknown: int
    joined: int
    losses: Mapping[Loss, int]
    decides: str
    bandit: bool = False


def verdict(found: Findings) -> str:
    """Of the whole, in one line."""
    if not found.effects:
        return "nothing to compare: fewer than two arms have units"
    if found.bandit:
        weights = ", ".join(
            f"{arm.name} {arm.weight:.1%}" for arm in found.arms if arm.weight is not None
        )
        return f"a bandit, which is no test: it gives {weights or 'weights that nobody told'}"
    ratio = found.sample_ratio
    if ratio is not None and ratio.mismatch:
        return "do not compare the arms: units did not come to them as their weights say"
    deciding = [effect for effect in found.effects if effect.decides]
    if deciding:
        return "; ".join(
            f"{effect.arm} by {effect.metric}: {effect.verdict}" for effect in deciding
        )
    stand = [effect for effect in found.effects if effect.decision in ("better", "worse")]
    if stand:
        told = "; ".join(f"{e.arm} by {e.metric}: {e.verdict}" for e in stand)
        return f"{told} (no metric was named to decide)"
    return "undecided by any metric (none was named to decide)"


def warnings(found: Findings) -> Iterator[str]:
    """What stands against believing the numbers."""
    if found.bandit:
        yield (
            "a bandit's weights follow its outcomes: the means below are biased, and no interval "
            "holds; weight answers by their propensities to estimate what an arm earns"
        )
    ratio = found.sample_ratio
    if ratio is not None and ratio.mismatch:
        units = ", ".join(f"{arm.name} {arm.units}" for arm in found.arms)
        yield (
            f"sample-ratio mismatch (p {ratio.p:.2g} at every look; units: {units}): find out "
            "why before believing any difference"
        )
    if ratio is None and found.arms and not found.bandit:
        yield "the sample ratio was not checked: the weights of the arms are not known"
    yield from _losses(found)
    if found.unexposed:
        yield (
            f"{found.unexposed} units have answers and no recorded exposure; they count in the "
            "arm of their first answer"
        )
    if found.crossed and not found.bandit:
        yield (f"{found.crossed} units have answers of another arm; they count in their first one")
    if found.unknown and not found.joined:
        yield (
            f"{found.unknown} outcomes are recorded, and none of them for an answer of "
            "this experiment"
        )
    if len(found.versions) > 1:
        others = len(found.versions) - 1
        yield (
            f"{others} other version{'s' * (others > 1)} of the experiment "
            f"{'are' if others > 1 else 'is'} not in these numbers"
        )
    yield from _warmth(found)


def _losses(found: Findings) -> Iterator[str]:
    for loss, count in sorted(found.losses.items()):
        if not count or loss.experiment not in ("", found.experiment):
            continue
        if loss.version not in ("", found.version):
            continue
        of = f" of arm {loss.arm}" if loss.arm else ""
        yield f"{count} {loss.kind}s{of} were lost for want of room"


def _warmth(found: Findings) -> Iterator[str]:
    shares = {}
    for arm in found.arms:
        whole = arm.latencies[0].answers
        computed = sum(one.answers for one in arm.latencies[1:] if one.cache == "model")
        if whole:
            shares[arm.name] = computed / whole
    if shares and max(shares.values()) - min(shares.values()) > WARMTH:
        told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        yield (
            f"the arms' caches are not equally warm (the model computed: {told}); compare "
            "latencies and costs within one cache state"
        )
