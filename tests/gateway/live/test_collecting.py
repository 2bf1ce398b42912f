from __future__ import annotations

from typing import Any

import pytest

from tritonkit.client.layers.telemetry.snapshot import Snapshot
from tritonkit.client.readings import Reading
from tritonkit.gateway.live.alarms import Alarms
from tritonkit.gateway.live.collector import Collector
from tritonkit.gateway.live.reading import (
    alarms_of,
    breakers_of,
    endpoints_of,
    experiments_of,
    limits_of,
    whole,
    without_user,
)
from tritonkit.gateway.live.sample import Sample
from tritonkit.gateway.live.steady import Steady
from tritonkit.gateway.live.stores import Stores
from tritonkit.gateway.live.window import Window
from tritonkit.gateway.passed import Passed


def ok(**changes: Any) -> Passed:
    return Passed(**{"at": 1.0, "seconds": 0.01, "route": "infer", "model": "m", **changes})


def gauge(name: str, value: float, **labels: str) -> Reading:
    return Reading(name, value, labels, "gauge")


def test_seconds_are_taken_once():
    """With the requests in flight times the seconds; what could not be written comes again."""
    collector = Collector()
    collector.observe(ok())
    collector.tick(10.7, 3, 1.5)
    collector.observe(ok())
    collector.observe(ok())
    collector.tick(9.0, 0)

    taken = collector.take()
    assert [(at, each.requests, each.in_flight) for at, each in taken] == [(10, 1, 4.5), (9, 2, 0)]
    assert collector.take() == []
    collector.tick(11.0, 0)
    collector.give_back(taken)
    assert [at for at, _ in collector.take()] == [10, 9, 11]


def test_what_cannot_be_written_is_bounded_and_not_lost():
    """Two minutes of seconds; older ones are added to the oldest."""
    collector = Collector()
    for second in range(500):
        collector.observe(ok())
        collector.tick(second, 0)

    waiting = collector.waiting()

    assert len(waiting) == 120
    assert sum(sample.requests for sample in waiting) == 500


def test_the_last_requests_are_shown_without_what_they_said():
    """Fifty, the newest first; names that a caller chose are cut."""
    collector = Collector(worker=3)
    for number in range(60):
        collector.observe(ok(at=float(number), id="x" * 1000, model="y" * 1000, arms=(("e", "a"),)))

    recent = collector.recent()

    assert [each["at"] for each in recent] == [float(number) for number in range(59, 9, -1)]
    assert len(recent[0]["id"]) == len(recent[0]["model"]) == 120
    assert (recent[0]["worker"], recent[0]["arms"]) == (3, [["e", "a"]])
    assert collector.arms == {("e", "a"): 60}


def test_the_window_is_the_last_minute():
    """By when samples were taken; nothing of them is kept or changed."""
    collector, window = Collector(), Window(0.0, 60)
    for second in range(100):
        collector.observe(ok())
        collector.tick(second, 0)
        for _, sample in collector.take():
            window.add(second + 0.5, sample)
            window.add(second + 0.6, sample)

    assert window.total(99.9).requests == 120
    assert window.total(129.0).requests == 60
    assert window.total(1000.0).requests == 0


def test_the_window_is_as_long_as_what_it_knows():
    """Rates are over what was seen: the seconds since it began, or since what others tell."""
    sample, window = Sample(), Window(1000.0, 60)
    sample.count(ok())

    assert window.span(1000.0) == 1.0
    assert window.span(1010.0) == 10.0
    window.add(1010.0, sample, age=29.0)
    assert window.span(1010.0) == 30.0
    window.add(1010.0, sample, age=-86400.0)
    window.add(1010.0, sample, age=60.0)
    assert window.total(1010.0).requests == 2
    # What was half a minute old then is gone half a minute later.
    assert window.total(1041.0).requests == 1
    assert window.span(2000.0) == 60.0


def test_a_clock_that_was_set_is_not_trusted():
    """Nor one of which nothing is known yet; ten minutes without a jump are enough."""
    wall, mono = [1000.0], [0.0]
    steady = Steady(lambda: wall[0], lambda: mono[0])

    def passes(seconds: float, jump: float = 0.0) -> bool:
        wall[0] += seconds + jump
        mono[0] += seconds
        return steady.trusted

    assert not passes(599)
    assert passes(2)
    assert passes(10, jump=5)
    assert not passes(10, jump=-86400)
    assert not passes(500)
    assert passes(100)


def test_states_of_layers_are_read():
    """The worst circuit of each model and way, places added up, servers without credentials."""
    readings = [
        gauge("breaker_circuits", 1, model="a", state="closed"),
        gauge("breaker_circuits", 1, model="a", state="half-open"),
        gauge("breaker_circuits", 0, model="a", state="open"),
        gauge("breaker_circuits", 1, model="a", state="open", tier="fast"),
        gauge("limit_allowed", 4, model="a"),
        gauge("limit_allowed", 2, model="a", tier="fast"),
        gauge("limit_in_flight", 3, model="a"),
        gauge("limit_shed", 7, model="a"),
        gauge("endpoint_up", 1, endpoint="http://u:p@h:1"),
        gauge("endpoint_up", 0, endpoint="http://u:p@h:1", tier="fast"),
        gauge("endpoint_requests", 9, endpoint="http://u:p@h:1"),
    ]

    assert breakers_of(readings) == [
        {"model": "a", "endpoint": "", "state": "half-open"},
        {"model": "a", "endpoint": "fast", "state": "open"},
    ]
    assert limits_of(readings) == [
        {"model": "a", "allowed": 6.0, "in_flight": 3, "waiting": 0, "shed": 7}
    ]
    assert endpoints_of(readings) == [
        {"endpoint": "http://h:1", "up": False, "in_flight": 0, "requests": 9, "failures": 0}
    ]


def test_a_store_that_does_not_answer_is_down():
    """After three looks with failures alone; one that nobody asks is as it was."""
    stores = Stores()

    def up(failed: int, answered: int) -> bool:
        readings = [
            gauge("store_events", failed - 1, store="redis", event="errors"),
            gauge("store_events", 1, store="redis", event="timeouts"),
            gauge("store_events", answered, store="redis", event="misses"),
            gauge("store_events", failed, store="redis", event="dropped"),
        ]
        (found,) = stores.look(readings)
        assert found["store"] == "redis"
        return found["up"]

    assert stores.look([]) == []
    assert up(1, 1)
    assert [up(2, 1), up(3, 1), up(4, 2)] == [True, True, True]
    assert [up(5, 2), up(6, 2), up(6, 2), up(7, 2)] == [True, True, True, False]
    assert not up(7, 2)
    assert up(8, 3)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:p@h:1/x?y", "http://h:1/x?y"),
        ("http://p@h", "http://h"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("FakeTransport()", "FakeTransport()"),
        ("http://a/b@c", "http://a/b@c"),
    ],
)
def test_urls_are_shown_without_credentials(url, shown):
    """What is no credential stays."""
    assert without_user(url) == shown


def test_experiments_have_all_their_arms():
    """Also those that nobody met yet; an experiment of another worker's policy as well."""
    found = experiments_of({"x": ["a", "b"]}, {("x", "a"): 2, ("y", "c"): 1}, {"x": "undecided"})

    assert [(each["name"], each["verdict"]) for each in found] == [("x", "undecided"), ("y", "")]
    assert [(arm["arm"], arm["requests"]) for arm in found[0]["arms"]] == [("a", 2), ("b", 0)]


def test_a_reading_of_another_version_is_passed_over():
    """It may tell something else."""
    assert whole([{"worker": 1}]) == []


def test_alarms_are_told_when_they_are_new():
    """Circuits and servers by their changes, alarms of layers by their counts."""
    alarms = Alarms()

    def look(state: str, up: bool, drifts: int) -> list[str]:
        reading: Any = {
            "breakers": [{"model": "m", "endpoint": "fast", "state": state}],
            "endpoints": [{"endpoint": "http://a", "up": up}],
            "stores": [{"store": "redis", "up": up}],
        }
        snapshot = Snapshot(
            client="", answered=(), failed=(), origins={}, tiers={}, degraded={},
            spikes={"user": 0, "global": 1},
            readings=(Reading("drift_events", drifts, {"event": "page"}),),
        )  # fmt: skip
        found = alarms.look(5.0, reading, alarms_of(snapshot))
        assert all(alert["at"] == 5.0 for alert in found)
        return [f"{alert['kind']}: {alert['text']}" for alert in found]

    spike = "tokens: a spike of tokens, of all callers together"
    drift = "drift: what was expected of a feature does not hold (page)"
    assert look("closed", True, 0) == [spike]
    assert look("open", False, 1) == [
        "breaker: m in fast: the circuit opened",
        "endpoint: http://a is left out: it fails",
        "store: redis does not answer",
        drift,
    ]
    assert look("half-open", False, 1) == []
    assert look("open", False, 3) == [f"{drift}, 2 times"]
    assert look("half-open", True, 3) == [
        "endpoint: http://a is back",
        "store: redis answers again",
    ]
    assert look("closed", True, 3) == ["breaker: m in fast: the circuit closed again"]
    assert look("closed", True, 3) == []
