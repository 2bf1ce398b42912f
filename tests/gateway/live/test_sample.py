from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client.statistics.latency import ACCURACY
from tritonkit.errors import ConfigError
from tritonkit.gateway.live.sample import MOST_NAMES, OTHER, Sample, tier_of
from tritonkit.gateway.passed import Passed

NAMES = st.sampled_from(["memory", "redis", "coalesced", "stale", "model"])
PASSED = st.builds(
    Passed,
    at=st.just(0.0),
    seconds=st.floats(0, 100),
    route=st.sampled_from(["infer", "forwarded", "embed"]),
    model=st.sampled_from(["minilm", "big"]),
    rows=st.integers(0, 8),
    status=st.sampled_from([200, 400, 503]),
    origins=st.dictionaries(NAMES, st.integers(1, 9), max_size=3),
    tier=st.sampled_from(["", "fast", "accurate"]),
    cost=st.integers(0, 10**9),
    degraded=st.sampled_from(["", "stale", "fallback: accurate timed out"]),
)


def sample_of(*passed: Passed) -> Sample:
    sample = Sample()
    for each in passed:
        sample.count(each)
    return sample


def ok(**changes: object) -> Passed:
    given = {"at": 0.0, "seconds": 0.01, "route": "infer", "model": "minilm", "rows": 1}
    return Passed(**{**given, **changes})  # type: ignore[arg-type]


@settings(max_examples=40)
@given(st.lists(PASSED, max_size=20), st.lists(PASSED, max_size=20))
def test_samples_of_two_workers_are_that_of_both(some, others):
    """To the bit: nothing is lost or counted twice."""
    both = sample_of(*some)
    both.merge(sample_of(*others))

    assert both == sample_of(*some, *others)


@settings(max_examples=40)
@given(st.lists(PASSED, max_size=20))
def test_bytes_bring_back_the_sample(some):
    """What another process reads is what this one wrote."""
    sample = sample_of(*some)

    assert Sample.from_bytes(sample.to_bytes()) == sample


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data):
    """Nothing but our own error, whatever a file holds."""
    with pytest.raises(ConfigError):
        Sample.from_bytes(data)


def test_bytes_that_end_early_are_refused():
    """A sample that is cut is none."""
    data = sample_of(ok()).to_bytes()

    for end in range(len(data)):
        with pytest.raises(ConfigError):
            Sample.from_bytes(data[:end])


def test_counts_what_went_through():
    """Errors have a status of 400 or more, cost something, and no latency; some are refusals."""
    sample = sample_of(
        ok(origins={"memory": 1}),
        ok(origins={"redis": 1, "model": 2}, tier="fast", seconds=0.04, cost=30, rows=3),
        ok(status=504, error="DeadlineExceeded", seconds=2.0, cost=10),
        ok(status=429, error="Refused", rows=0),
    )

    assert (sample.requests, sample.errors, sample.refused, sample.cost) == (4, 2, 1, 40)
    assert dict(sample.origins) == {"memory": 1, "redis": 1, "model": 2}
    assert sample.hit_share == 0.5
    assert sample.cost_per_success == 20
    assert set(sample.tiers) == {"memory", "fast"}
    (median,) = sample.tiers["fast"].quantiles([0.5])
    assert median == pytest.approx(0.04, rel=ACCURACY)


def test_a_row_that_two_asked_for_is_no_hit():
    """It was computed once, and is counted as neither kept nor free."""
    assert sample_of(ok(origins={"coalesced": 3, "memory": 1})).hit_share == 0.25


def test_nothing_has_no_shares():
    """Without rows or answers there is no share of them."""
    assert Sample().hit_share is None
    assert Sample().cost_per_success is None


@pytest.mark.parametrize(
    ("passed", "tier"),
    [
        (ok(origins={"memory": 4}), "memory"),
        (ok(origins={"memory": 4}, tier="fast"), "memory"),
        (ok(origins={"memory": 4, "model": 1}, tier="fast"), "fast"),
        (ok(origins={"memory": 4, "model": 1}), "model"),
        (ok(origins={"memory": 4, "redis": 1}), "mixed"),
        (ok(), "model"),
        (ok(route="forwarded", rows=0), "forwarded"),
    ],
)
def test_latencies_are_those_of_what_answered(passed, tier):
    """The store that had all rows, else the route, else the model."""
    assert tier_of(passed) == tier


def test_names_are_bounded():
    """Reasons quote errors, so there may be any number of them: what is beyond is "other"."""
    sample = sample_of(*(ok(degraded=f"{n}" * 1000, tier=f"t{n}") for n in range(200)))

    assert len(sample.degraded) <= MOST_NAMES + 1
    assert sample.degraded[OTHER, OTHER] > 0
    assert len(sample.tiers) <= MOST_NAMES + 1
    assert max(len(reason) for _, reason in sample.degraded) <= 120
