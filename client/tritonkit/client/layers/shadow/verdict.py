"""Promote, reject, or so many more: a sequential test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tritonkit.client.layers.shadow.latencies import Latencies
from tritonkit.client.statistics.proportions import evidence_above, evidence_below, needed

__all__ = ["Decision", "Evidence", "Rules", "ShadowVerdict", "decide"]

Decision: TypeAlias = Literal["promote", "reject", "undecided"]

PERCENTILE = 0.95
"""Of the latencies that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    What is asked of a shadow, and how sure it must be.

    Args:
        tolerate: The share of rows that may disagree, mean over requests.
        alpha: The chance of a wrong rejection, at most, and that of a wrong promotion.
        errors: The share of requests that may fail; None does not look.
        latency: How many times the primary's p95 the shadow's may be; None does not look.
        min_requests: That the shadow was sent, before a verdict.
    """

    tolerate: float
    alpha: float
    errors: float | None
    latency: float | None
    min_requests: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What a verdict is made of.

    Args:
        disagreement: Sum over requests of the share of their rows that disagree.
        requests: That were compared.
        rows: Of these requests.
        failed: Requests that the shadow did not answer.
        asked: Requests that it was sent and that ended.
        primary: The primary's latencies.
        shadow: Those of the shadow, to the same requests.
    """

    disagreement: float
    requests: int
    rows: int
    failed: int
    asked: int
    primary: Latencies
    shadow: Latencies


@dataclass(frozen=True, slots=True)
class ShadowVerdict:
    """
    Whether a shadow may take the primary's place.

    Args:
        decision: "promote", "reject" or "undecided".
        reason: Why, in words.
        requests: Compared until then.
        rows: Of these requests.
        more: About how many more requests it takes, if they are like those so far; 0 where
            it is decided, None where nobody knows.
    """

    decision: Decision
    reason: str
    requests: int
    rows: int
    more: int | None = 0

    def __str__(self) -> str:
        seen = f"after {self.requests} requests, {self.rows} rows"
        if self.decision != "undecided":
            return f"{self.decision} {seen}: {self.reason}"
        more = "nobody knows how many" if self.more is None else f"about {self.more}"
        return f"need {more} more requests {seen}: {self.reason}"


@dataclass(frozen=True, slots=True)
class _Finding:
    """One thing that is asked of a shadow: whether it surely is so, or surely not, and why."""

    passes: bool
    fails: bool
    text: str


def decide(evidence: Evidence, rules: Rules, *, estimate: bool = True) -> ShadowVerdict:
    """
    Look at the evidence; as often as one likes.

    Rejects where any of what is asked is surely not so, promotes where all of it surely is.
    Let the requests' mean share of disagreeing rows be *tolerate* or less, whatever came
    before, and errors and latencies as they may be: the chance that it ever rejects is
    *alpha* at most. Let one of them be worse: the chance that it ever promotes is *alpha* at
    most. Rows of one request may depend on each other; for the bound on latencies
    requests must not. With *tolerate* 0 the first row that disagrees rejects, and
    nothing promotes: no number of rows proves that none ever will.

    Args:
        evidence: So far.
        rules: What is asked; fixed before the evidence is seen.
        estimate: Whether to work out how many more it takes.

    Source: the beta-binomial mixture of `evidence_above`. It is one for shares of 0 to 1 as
    well: of (p/m)^x ((1-p)/(1-m))^(1-x) the linear interpolation between x = 0 and x = 1 is
    no less, and of that the mean under m is 1.
    """
    asked = sum(rule is not None for rule in (rules.errors, rules.latency)) + 1
    # Any of them may reject by mistake; a promotion takes all, so the worst alone must not pass.
    reject, promote = rules.alpha / asked, rules.alpha
    findings = [_rate(evidence, rules, reject, promote)]
    if rules.errors is not None:
        findings.append(_errors(evidence, rules.errors, reject, promote))
    if rules.latency is not None:
        findings.append(_latency(evidence, rules.latency, reject, promote))
    counts = evidence.requests, evidence.rows
    enough = evidence.asked >= rules.min_requests
    bad = [finding.text for finding in findings if finding.fails]
    if bad and enough:
        return ShadowVerdict("reject", "; ".join(bad), *counts)
    if enough and all(finding.passes for finding in findings):
        return ShadowVerdict("promote", "; ".join(each.text for each in findings), *counts)
    unsure = bad or [finding.text for finding in findings if not finding.passes]
    more = _more(evidence, rules, reject, promote) if estimate else None
    if more is not None:
        more = max(more, rules.min_requests - evidence.asked)
    reason = "; ".join(unsure) or "too few requests"
    return ShadowVerdict("undecided", reason, *counts, more)


def _rate(evidence: Evidence, rules: Rules, reject: float, promote: float) -> _Finding:
    bad, n, most = evidence.disagreement, evidence.requests, rules.tolerate
    share = f"{bad / n:.2%}" if n else "nothing"
    text = f"{share} of the rows disagree, {most:.2%} are tolerated"
    return _finding(bad, n, most, reject, promote, text)


def _errors(evidence: Evidence, most: float, reject: float, promote: float) -> _Finding:
    failed, n = evidence.failed, evidence.asked
    text = f"{failed} of {n} requests failed, {most:.2%} may"
    return _finding(failed, n, most, reject, promote, text)


def _finding(bad: float, n: int, most: float, reject: float, promote: float, text: str) -> _Finding:
    # Shares are added in floating point, in another order by each process.
    bad = min(bad, n)
    return _Finding(
        passes=evidence_below(bad, n, most) >= math.log(1 / promote),
        fails=evidence_above(bad, n, most) >= math.log(1 / reject),
        text=text,
    )


def _latency(evidence: Evidence, times: float, reject: float, promote: float) -> _Finding:
    primary, shadow = evidence.primary, evidence.shadow
    both = (primary.percentile(PERCENTILE), shadow.percentile(PERCENTILE))
    text = (
        f"p95 is {both[1] * 1e3:.3g} ms, the primary's {both[0] * 1e3:.3g} ms, "
        f"{times:g} times that is tolerated"
        if primary.n
        else "no latencies were compared"
    )
    # Each needs an end of two intervals.
    worst = primary.bounds(PERCENTILE, alpha=reject / 2)[1] * times
    best = primary.bounds(PERCENTILE, alpha=promote / 2)[0] * times
    return _Finding(
        passes=shadow.bounds(PERCENTILE, alpha=promote / 2)[1] <= best,
        fails=shadow.bounds(PERCENTILE, alpha=reject / 2)[0] > worst,
        text=text,
    )


def _more(evidence: Evidence, rules: Rules, reject: float, promote: float) -> int | None:
    """Until one surely fails, or all surely pass; None where one of them may never."""
    n = evidence.requests
    counts = [(min(evidence.disagreement, n), n, rules.tolerate)]
    if rules.errors is not None:
        counts.append((evidence.failed, evidence.asked, rules.errors))
    rejections: list[int] = []
    promotions: list[int | None] = []
    for bad, whole, most in counts:
        above = whole > 0 and bad / whole > most
        more = needed(bad, whole, most, alpha=reject if above else promote)
        if above and more is not None:
            rejections.append(more)
        promotions.append(None if above else more)
    if rules.latency is not None:
        more, above = _more_latencies(evidence, rules.latency, reject if rejections else promote)
        if above and more is not None:
            rejections.append(more)
        promotions.append(None if above else more)
    if rejections:
        return min(rejections)
    known = [more for more in promotions if more is not None]
    return max(known) if len(known) == len(promotions) else None


def _more_latencies(evidence: Evidence, times: float, alpha: float) -> tuple[int | None, bool]:
    """An interval's width falls with the root of what it is made of."""
    n = evidence.primary.n
    least = needed(0, 0, 1 - PERCENTILE, alpha=alpha / 2) or 0
    if n < least:
        return least - n, False
    spreads, middles = 0.0, []
    for latencies in (evidence.primary, evidence.shadow):
        low, high = latencies.bounds(PERCENTILE, alpha=alpha / 2)
        if not 0 < low <= high < math.inf:
            return n, False
        spreads += math.log(high / low) / 2
        middles.append(math.log(latencies.percentile(PERCENTILE)))
    gap = middles[1] - middles[0] - math.log(times)
    if not gap:
        return None, False
    total = n * (spreads / abs(gap)) ** 2
    return (max(1, math.ceil(total) - n) if total < 1e9 else None), gap > 0
