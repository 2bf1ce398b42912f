"""Error rates of the verdict under a look at every request; latencies, pauses and reports."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client import ShadowReport
from tritonkit.client.layers.shadow.compare import Compared
from tritonkit.client.layers.shadow.latencies import Latencies
from tritonkit.client.layers.shadow.pausing import Pausing
from tritonkit.client.layers.shadow.tally import Tally
from tritonkit.client.layers.shadow.verdict import Evidence, Rules, decide
from tritonkit.client.statistics.proportions import evidence_of_side
from tritonkit.errors import ConfigError

RULES = Rules(tolerate=0.02, alpha=0.05, errors=None, latency=None)
RUNS, REQUESTS = 4000, 1000

# Of 4000 runs in which the true chance is alpha, no more than this are decided wrongly but in
# 1 of 10,000 simulations: 3.72 standard deviations of a binomial above its mean.
MOST = 0.05 + 3.72 * math.sqrt(0.05 * 0.95 / RUNS)


def seen(bad: float, n: int, **more: object) -> Evidence:
    fields = {"failed": 0, "asked": n, "primary": Latencies(), "shadow": Latencies(), **more}
    return Evidence(bad, n, n, **fields)  # type: ignore[arg-type]


def boundary(rate: float, alpha: float) -> NDArray[np.float64]:
    """From how large a sum of shares on `evidence_above` rejects, for each number of requests."""
    n = np.arange(1, REQUESTS + 1, dtype=np.float64)
    low, high = n * rate, n + 0.01
    for _ in range(40):
        middle = (low + high) / 2
        enough = evidence_of_side(np.minimum(middle, n), n, rate) >= math.log(1 / alpha)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


REJECTS = boundary(RULES.tolerate, RULES.alpha)
PROMOTES = boundary(1 - RULES.tolerate, RULES.alpha)


def decisions(shares: NDArray[np.float64]) -> tuple[float, float]:
    """Shares of runs, of a row of *shares* each, that ever reject, and that ever promote."""
    bad = shares.cumsum(axis=1)
    n = np.arange(1, shares.shape[1] + 1)
    rejects, promotes = bad >= REJECTS, n - bad >= PROMOTES
    # What is simulated at once is what `decide` says one by one.
    for run, at in ((0, 50), (1, 300), (2, shares.shape[1] - 1)):
        one = decide(seen(bad[run, at], at + 1), RULES, estimate=False).decision
        expected = "reject" if rejects[run, at] else "promote" if promotes[run, at] else "undecided"
        assert one == expected
    first = [np.where(each.any(axis=1), each.argmax(axis=1), 10**9) for each in (rejects, promotes)]
    return float((first[0] < first[1]).mean()), float((first[1] < first[0]).mean())


@pytest.mark.parametrize("kind", ["single rows", "rows that go together", "mixed sizes"])
def test_error_rates_at_every_look(kind: str) -> None:
    """
    At the rate that is tolerated, hardest of all, both mistakes are as rare as they must be.

    Also where a request has many rows that agree or disagree together: counted row by row
    they would be taken for so many independent ones.
    """
    chance = np.random.default_rng(11)
    bad = chance.random((RUNS, REQUESTS)) < RULES.tolerate
    shares = bad.astype(np.float64)
    if kind == "mixed sizes":
        rows = chance.integers(1, 33, shares.shape)
        shares = chance.binomial(rows, RULES.tolerate) / rows
    elif kind == "rows that go together":
        # Half of a request's rows are bad, or none: the mean is the rate that is tolerated.
        shares = (chance.random(shares.shape) < 2 * RULES.tolerate) / 2
    wrong = decisions(shares)
    assert max(wrong) <= MOST


def test_power() -> None:
    """Five times what is tolerated is rejected, a fifth of it promoted, within 1000 requests."""
    chance = np.random.default_rng(12)
    rejected, _ = decisions((chance.random((200, REQUESTS)) < 0.1) * 1.0)
    _, promoted = decisions((chance.random((200, REQUESTS)) < 0.004) * 1.0)
    assert rejected == 1
    assert promoted >= 0.97


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_latency_guard_at_every_look(alpha: float) -> None:
    """At exactly the ratio that is tolerated it neither passes nor fails more often than alpha."""
    runs, wrong = 30, [0, 0]
    rules = Rules(tolerate=1.0, alpha=alpha, errors=None, latency=1.5)
    chance = np.random.default_rng(13)
    for _ in range(runs):
        primary, shadow = Latencies(), Latencies()
        times = np.exp(chance.normal(-5, 0.5, (2, 800))) * [[1.0], [1.5]]
        for n in range(800):
            primary.add(times[0, n])
            shadow.add(times[1, n])
            if n % 200 == 199:
                found = decide(
                    seen(0, n + 1, primary=primary, shadow=shadow), rules, estimate=False
                ).decision
                if found != "undecided":
                    wrong[found == "promote"] += 1
                    break
    # As MOST, of 30 runs; two unions and the bins make it much rarer.
    assert max(wrong) / runs <= alpha + 3.72 * math.sqrt(alpha * (1 - alpha) / runs)


def test_the_latency_guard_decides() -> None:
    """Three times as slow fails at 1.5, as fast passes; nothing is known of a few."""
    chance = np.random.default_rng(14)
    rules = Rules(tolerate=0.5, alpha=0.05, errors=None, latency=1.5)
    for times, expected in ((3.0, "reject"), (1.0, "promote")):
        primary, shadow = Latencies(), Latencies()
        for n, one in enumerate(np.exp(chance.normal(-5, 0.3, 3000))):
            primary.add(one)
            shadow.add(one * times * chance.uniform(0.9, 1.1))
            if n == 20:
                early = decide(seen(0, 21, primary=primary, shadow=shadow), rules)
                assert early.decision == "undecided"
                assert early.more
        found = decide(seen(0, 3000, primary=primary, shadow=shadow), rules)
        assert found.decision == expected
        assert "p95" in found.reason


def test_bounds_hold_the_percentile() -> None:
    """The true p95 is within them at 10 looks, in all but alpha of the runs on each side."""
    true, outside = math.exp(1.6448536), 0
    chance = np.random.default_rng(15)
    for _ in range(50):
        latencies = Latencies()
        looks = []
        for part in np.exp(chance.normal(0, 1, (10, 60))):
            for one in part:
                latencies.add(one)
            low, high = latencies.bounds(0.95, alpha=0.05)
            looks.append(low <= true <= high)
        outside += not all(looks)
        # The bins are 2 % wide.
        assert latencies.percentile(0.5) == pytest.approx(1, rel=0.2)
    # Twice alpha for two sides, and 3.72 standard deviations.
    assert outside / 50 <= 0.1 + 3.72 * math.sqrt(0.1 * 0.9 / 50)


def test_errors_alone_reject_and_hold_up() -> None:
    rules = Rules(tolerate=0.02, alpha=0.05, errors=0.01, latency=None)
    failing = decide(seen(0, 400, failed=60, asked=460), rules)
    assert failing.decision == "reject"
    assert "60 of 460 requests failed" in failing.reason
    # As many as may fail: the answers themselves are good enough, and that is not all.
    assert decide(seen(0, 400), RULES).decision == "promote"
    assert decide(seen(0, 400, failed=4, asked=400), rules).decision == "undecided"
    assert decide(seen(0, 2000, failed=0, asked=2000), rules).decision == "promote"


@pytest.mark.parametrize("bad", [0, 1, 5])
def test_how_many_more(bad: int) -> None:
    """If it goes on so, it is decided after about as many, and not long before."""
    start = decide(seen(bad, 100), RULES)
    assert start.decision == "undecided"
    assert start.more
    rate = bad / 100
    end = 100 + start.more
    assert decide(seen(rate * (end + 1), end + 1), RULES).decision != "undecided"
    assert decide(seen(rate * (end - 5), end - 5), RULES).decision == "undecided"
    assert "about" in str(start)


def test_nobody_knows_how_many_more() -> None:
    """Where the rate so far is what is tolerated, or nothing is: that is never proved."""
    assert decide(seen(2, 100), RULES).more is None
    nothing = Rules(tolerate=0, alpha=0.05, errors=None, latency=None)
    assert decide(seen(0, 10**6), nothing).decision == "undecided"
    assert decide(seen(0, 10**6), nothing).more is None
    assert decide(seen(0.1, 10**6), nothing).decision == "reject"
    anything = Rules(tolerate=1, alpha=0.05, errors=None, latency=None)
    assert decide(seen(1000, 1000), anything).decision == "undecided"
    assert decide(seen(0, 0), RULES).more


def tally(seed: int, requests: int) -> Tally:
    chance = np.random.default_rng(seed)
    made = Tally(slices=2)
    for _ in range(requests):
        agrees = chance.random(3) < 0.9
        made.counts["compared"] += 1
        made.counts["answered"] += 1
        made.compared(Compared(agrees, np.zeros(3)), str(chance.integers(4)))
        made.took(*chance.exponential(0.01, 2))
    return made


def test_reports_merge_and_travel() -> None:
    """In any order, through JSON; together they decide anew."""
    rules = Rules(tolerate=0.3, alpha=0.05, errors=None, latency=None)
    reports = [
        ShadowReport("s", rules, decide(one.evidence(), rules), one)
        for one in (tally(seed, 30) for seed in range(4))
    ]
    whole = reports[0].merge(*(ShadowReport.from_json(one.to_json()) for one in reports[1:]))
    other = reports[3].merge(*reports[:3])
    assert (whole.tally.requests, whole.tally.rows) == (120, 360)
    assert whole.tally.disagreeing == other.tally.disagreeing
    assert whole.verdict.decision == other.verdict.decision == "promote"
    assert whole.tally.slower.mean == pytest.approx(other.tally.slower.mean)
    assert sum(rows for rows, _ in whole.tally.slices.values()) == 360
    assert len(whole.tally.slices) <= 3
    assert whole.disagreement.low < 0.1 < whole.disagreement.high
    assert whole.slower.bounded
    assert json.loads(whole.to_json())["verdict"]["decision"] == "promote"
    assert "promote after 120 requests, 360 rows" in str(whole)


def test_reports_of_different_shadows_do_not_merge() -> None:
    one = ShadowReport("s", RULES, decide(seen(0, 0), RULES), Tally())
    with pytest.raises(ConfigError, match="'t'"):
        one.merge(ShadowReport("t", RULES, one.verdict, Tally()))
    for text in ("{}", "[]", '{"format": 9}', "nothing"):
        with pytest.raises(ConfigError):
            ShadowReport.from_json(text)
    assert "need about" in str(one)


def test_pauses() -> None:
    """They double to 32 times the first, end with a success, and never begin at 0 failures."""
    pausing, now, pauses = Pausing(3, 10.0, 5.0), 0.0, []
    for _ in range(2):
        assert pausing.asks(now)
        assert not pausing.failed(now)
    for _ in range(8):
        assert pausing.failed(now)
        length = next(s for s in range(1, 1000) if pausing.asks(now + s))
        # One at a time tries; one that comes to nothing leaves its place to another.
        assert not pausing.asks(now + length)
        pausing.forgot()
        assert pausing.asks(now + length)
        # So does one that never ends, once it took longer than it may.
        assert not pausing.asks(now + length + 4.9)
        assert pausing.asks(now + length + 5)
        pauses.append(length)
        now += length
    assert pauses == [10, 20, 40, 80, 160, 320, 320, 320]
    pausing.succeeded()
    assert all(pausing.asks(now) for _ in range(3))
    never = Pausing(0, 10.0, 5.0)
    assert not any(never.failed(0.0) for _ in range(100))
