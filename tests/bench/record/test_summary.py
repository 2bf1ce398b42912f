"""What windows of repeats say together."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.summary import summary
from tritonkit.bench.record.window import Window, cut_window
from tritonkit.bench.targets.target import Taken
from tritonkit.errors import InferenceFailed

SECOND = 1_000_000_000
WARMUP = 1


def run(
    seed: int = 0,
    *,
    level: float = 5e6,
    slow: float = 0.0,
    late_ns: int = 0,
    failed: int = 0,
    dropped: int = 0,
) -> Window:
    """A second of warm-up and ten of window, 100 requests in each; the first *slow* s are slow."""
    rng = np.random.default_rng(seed)
    recorder = Recorder(0.25, origin=WARMUP)
    for number in range(1100):
        at_ns = number * SECOND // 100
        service = int(level * rng.uniform(0.9, 1.1))
        if at_ns < (WARMUP + slow) * SECOND:
            service *= 3
        way = Taken("memory", hits=1, rows=1, cost=0.5) if number % 2 else None
        recorder.answered(at_ns, service + late_ns, service, way)
    for number in range(failed):
        recorder.failed(WARMUP * SECOND + number, InferenceFailed(f"reason {seed}"))
    for number in range(dropped):
        recorder.dropped(WARMUP * SECOND + number)
    return cut_window(recorder, WARMUP * SECOND, (WARMUP + 10) * SECOND, stationary=True)


def test_one_window_has_its_figures_and_its_course() -> None:
    fields = summary([run(late_ns=1_000_000)], (50.0, 99.0))
    assert fields["seconds"] == 10.0
    assert fields["warmup"] == 1.0
    assert fields["latency"].count == fields["service_time"].count == fields["intended"] == 1000
    assert fields["latency"].mean_us == pytest.approx(fields["service_time"].mean_us + 1000)
    assert fields["late_us"] == pytest.approx(1000, rel=1e-3)
    assert fields["unstable"] is None
    assert set(fields["bands"]) == {"requests_per_second", "p50", "p99"}
    timeline = fields["timeline"]
    assert [each.start for each in timeline] == [-1 + 0.25 * n for n in range(44)]
    assert sum(each.answered for each in timeline if each.start >= 0) == 1000
    (way,) = fields["ways"]
    assert (way.name, way.rows, way.hits, way.cost) == ("memory", 500, 500, 250.0)


def test_a_slice_in_which_nothing_happened_is_in_the_course() -> None:
    recorder = Recorder(0.25)
    recorder.answered(0, 5, 5)
    recorder.answered(SECOND * 3 // 4, 5, 5)
    window = cut_window(recorder, 0, 2 * SECOND, stationary=False)
    timeline = summary([window])["timeline"]
    assert [each.start for each in timeline] == [0.25 * n for n in range(8)]
    assert [each.answered for each in timeline] == [1, 0, 0, 1, 0, 0, 0, 0]


def test_repeats_add_up() -> None:
    one = summary([run(0)], (50.0,))
    both = summary([run(0), run(1)], (50.0,))
    assert (both["seconds"], both["repeats"]) == (20.0, 2)
    assert both["latency"].count == 2 * one["latency"].count
    assert {each.repeat for each in both["timeline"]} == {0, 1}


def test_a_warm_up_that_lasts_is_cut_off_and_told() -> None:
    """It is three times as slow for two seconds of the window; MSER may take a slice more."""
    fields = summary([run(slow=2.0)])
    assert 3.0 <= fields["warmup"] <= 3.5
    assert fields["seconds"] == 11.0 - fields["warmup"]
    assert fields["unstable"] is None
    assert fields["latency"].max_us < 6_000


def test_a_stall_at_the_start_of_a_window_is_no_warm_up() -> None:
    """The warm-up was as fast as the window is later on."""
    recorder = Recorder(0.25, origin=WARMUP)
    for number in range(1100):
        at_ns = number * SECOND // 100
        stalled = WARMUP * SECOND <= at_ns < 2 * WARMUP * SECOND
        recorder.answered(at_ns, 1_000_000_000 if stalled else 5_000_000, 5_000_000)
    window = cut_window(recorder, WARMUP * SECOND, 11 * SECOND, stationary=True)
    fields = summary([window])
    assert (fields["seconds"], fields["warmup"]) == (10.0, 1.0)
    assert fields["latency"].percentiles_us[95.0] == pytest.approx(1e6)


def test_a_count_that_was_asked_for_is_kept_whole() -> None:
    window = run(slow=2.0)
    whole = cut_window(window.recorder, WARMUP * SECOND, 11 * SECOND, stationary=True, counted=True)
    assert summary([whole])["latency"].count == 1000


def test_an_end_within_a_slice_keeps_what_came_before_it() -> None:
    recorder = Recorder(0.25)
    for at_ns in range(0, SECOND, SECOND // 10):
        recorder.answered(at_ns, 5, 5)
    fields = summary([cut_window(recorder, 0, SECOND * 6 // 10, stationary=False)])
    assert fields["seconds"] == 0.6
    assert fields["bands"] == {}
    assert fields["timeline"][-1].seconds == pytest.approx(0.1)


def test_a_part_of_a_window_in_which_nothing_ended_is_part_of_its_course() -> None:
    """Left out, it would be left out of the rates that comparisons and merges draw as well."""
    recorder = Recorder(0.25, origin=WARMUP)
    for at_ns in (0, WARMUP * SECOND, 2 * SECOND):
        recorder.answered(at_ns, 5, 5)
    window = cut_window(recorder, WARMUP * SECOND, 3 * SECOND, stationary=True)
    timeline = summary([window])["timeline"]
    assert [each.start for each in timeline] == [-1.0, *(0.25 * n for n in range(8))]
    assert [each.answered for each in timeline] == [1, 1, 0, 0, 0, 1, 0, 0, 0]
    assert {each.seconds for each in timeline} == {0.25}


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([run(failed=9)], None),
        ([run(failed=20)], "2.0% of the requests failed"),
        ([run(dropped=250)], "20.0% of the requests could not start"),
        (
            [run(failed=250, dropped=250)],
            "20.0% of the requests failed, and 16.7% of the requests could not start",
        ),
        (
            [run(0), run(1, level=10e6)],
            r"the mean latency rose by (99|10[01])% from repeat 1 to repeat 2",
        ),
        ([run(0), run(1)], None),
    ],
)
def test_what_makes_a_result_unstable_is_said_in_a_sentence(
    windows: list[Window], expected: str | None
) -> None:
    found = summary(windows)["unstable"]
    assert found is None if expected is None else re.fullmatch(expected, found)


def test_failures_of_all_repeats_are_one_by_kind() -> None:
    (failure,) = summary([run(0, failed=2), run(1, failed=3)])["failures"]
    assert (failure.kind, failure.count, failure.first) == ("InferenceFailed", 5, "reason 0")


def test_nothing_recorded_has_no_figures() -> None:
    fields = summary([cut_window(Recorder(0.25), 0, SECOND, stationary=True)])
    assert fields["latency"].count == fields["intended"] == 0
    assert math.isnan(fields["latency"].max_us)
    assert (fields["late_us"], fields["bands"], fields["unstable"]) == (0.0, {}, None)
