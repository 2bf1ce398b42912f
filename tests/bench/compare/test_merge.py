from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.bench.commands.load_options import choose
from tritonkit.bench.compare.merge import merge, notes
from tritonkit.bench.load.shape import Closed, Open
from tritonkit.bench.load.share import Share
from tritonkit.bench.observe.statistics import Duration, ModelTimes
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.decoded import counts_of, decode_counts
from tritonkit.bench.report.json import Report, document, read, write
from tritonkit.bench.schedule.described import Described
from tritonkit.cli import main
from tritonkit.errors import ConfigError

Run = Callable[..., Report]

TIMES = ModelTimes(
    model="m",
    requests=10,
    failed=0,
    inferences=10,
    executions=5,
    queue=Duration(10, 100),
    compute_input=Duration(),
    compute_infer=Duration(10, 500),
    compute_output=Duration(),
    cache_hit=Duration(),
    cache_miss=Duration(),
    batches={2: 5},
)


def merged(*reports: Report) -> Any:
    return merge(reports, [f"{number}.json" for number in range(len(reports))]).measurements[0]


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=4))
@settings(max_examples=8)
def test_counts_and_histograms_add_up_exactly_and_rates_add(run: Run, seeds: list[int]) -> None:
    reports = [run(seed, slices=4, failed=1) for seed in seeds]
    whole = merged(*reports)
    parts = [report.measurements[0] for report in reports]
    added = Counts.joined([counts_of(part.latency) for part in parts])
    found = counts_of(whole.latency)
    assert found.buckets.tolist() == added.buckets.tolist()
    assert found.counts.tolist() == added.counts.tolist()
    assert (found.min_ns, found.max_ns) == (added.min_ns, added.max_ns)
    assert whole.failed == sum(part.failed for part in parts)
    assert whole.requests_per_second == pytest.approx(sum(p.requests_per_second for p in parts))
    assert sum(one.answered for one in whole.timeline) == whole.requests
    slices = Counts.joined([decode_counts(one.histogram) for one in whole.timeline])
    assert slices.counts.tolist() == found.counts.tolist()
    assert whole.point.load == Closed(4 * len(seeds))


def test_rates_add_of_windows_that_are_not_equally_long(run: Run) -> None:
    one, other = run(1, slices=16), run(2, slices=18)
    whole = merged(one, other)
    assert whole.requests_per_second == pytest.approx(
        one.measurements[0].requests_per_second + other.measurements[0].requests_per_second
    )


def test_courses_are_put_on_one_clock(run: Run) -> None:
    # The second began 0.6 s later: 2 slices of 0.25 s, rounded.
    one, other = run(1, started=100.0), run(2, started=100.6)
    whole = merged(one, other)
    assert whole.started == 100.0
    assert [one.start for one in whole.timeline] == [0.25 * n for n in range(18)]
    first, second = (report.measurements[0].timeline for report in (one, other))
    assert whole.timeline[1].answered == first[1].answered
    assert whole.timeline[3].answered == first[3].answered + second[1].answered
    assert whole.timeline[17].answered == second[15].answered


def test_intervals_are_those_of_the_whole(run: Run) -> None:
    parts = [run(seed, slices=24) for seed in (1, 2)]
    band = merged(*parts).bands["requests_per_second"]
    assert band.low < merged(*parts).requests_per_second < band.high


def test_runs_that_did_not_send_together_are_refused(run: Run) -> None:
    # 4 s of window, of which 3 are common: 75 %.
    with pytest.raises(
        ConfigError, match=r"1\.json began 1\.0 s after 0\.json, of windows of 4\.0"
    ):
        merged(run(1, started=10.0), run(2, started=11.0))
    merged(run(1, started=10.0), run(2, started=10.5))


def test_schedules_add_up_to_the_sum_of_their_rates(run: Run) -> None:
    load = Open(Described("50/s, Poisson", {"kind": "poisson", "rate": 50.0}), max_in_flight=10)
    whole = merged(run(1, load=load), run(2, load=load))
    assert whole.point.load.arrivals.rate == 100
    assert whole.point.load.max_in_flight == 20
    assert str(whole.point) == "100/s of 2 runs, each 50/s, Poisson"


def test_shards_of_one_load_are_that_load_again(run: Run) -> None:
    def shard(number: int, of: int = 2) -> Report:
        load = choose(rates=[100]).shared(Share(number, of)).points[0].load
        report = run(number, load=load, started=1.0)
        conditions = dataclasses.replace(report.conditions, plan={"shard": f"{number}/{of}"})
        return dataclasses.replace(report, conditions=conditions)

    both = [shard(0), shard(1)]
    whole = merged(*both)
    (one,) = choose(rates=[100]).points
    assert whole.point.describe() == one.describe()
    assert str(whole.point) == str(one)
    assert notes(both, ["a", "b"]) == ()
    assert notes([both[0], both[0]], ["a", "b"]) == (
        "Shard 0/2 is there 2 times.",
        "Shards that are missing: 1/2.",
    )
    assert "Not all runs are shards" in notes([shard(0), run(1, started=1.0)], ["a", "b"])[-1]


def test_the_counters_of_one_server_are_seen_by_all_and_those_of_two_add_up(run: Run) -> None:
    one, other = run(1, server=(TIMES,)), run(2, server=(TIMES,))
    assert merged(one, other).server == (TIMES,)
    elsewhere = dataclasses.replace(other.conditions, url="http://other:8000")
    (times,) = merged(one, dataclasses.replace(other, conditions=elsewhere)).server
    assert (times.requests, times.queue, times.batches) == (20, Duration(20, 200), {2: 10})


def test_every_run_keeps_its_conditions(run: Run) -> None:
    one = run(1)
    late = dataclasses.replace(one.conditions, started="2026-02-01T00:00:00+00:00", command="b")
    other = dataclasses.replace(one, conditions=late)
    whole = merge([one, other], ["a", "b"])
    assert whole.conditions.parts == (one.conditions, late)
    again = merge([whole, dataclasses.replace(whole)], ["c", "d"])
    assert len(again.conditions.parts) == 4
    assert "nobody knows whether they sent together" in notes([one, other], ["a", "b"])[0]


def test_runs_that_would_send_at_the_same_instants_are_told(run: Run) -> None:
    load = Open(Described("50/s, Poisson", {"kind": "poisson", "rate": 50.0}))
    one = run(1, load=load, started=1.0)
    seeded = dataclasses.replace(one.conditions, seed=1)
    assert "same seed" in notes([one, one], ["a", "b"])[0]
    assert notes([one, dataclasses.replace(one, conditions=seeded)], ["a", "b"]) == ()


def test_runs_of_something_else_are_refused(run: Run) -> None:
    one = run(1)
    with pytest.raises(ConfigError, match="at least two runs"):
        merged(one)
    other = dataclasses.replace(one.conditions, model="n")
    with pytest.raises(ConfigError, match="model is 'm' in the first and 'n' in the second"):
        merged(one, dataclasses.replace(one, conditions=other))
    more = dataclasses.replace(
        one, measurements=one.measurements + run(1, load=Closed(8)).measurements
    )
    with pytest.raises(ConfigError, match=r"0\.json lacks the point concurrency 8, which 1\.json"):
        merged(one, more)
    with pytest.raises(ConfigError, match="other numbers of windows"):
        merged(run(1, slices=16), run(1, slices=16, windows=2))


def test_the_command_writes_what_can_be_read(run: Run, tmp_path: Path) -> None:
    names = [str(tmp_path / f"{number}.json") for number in range(2)]
    for number, name in enumerate(names):
        report = run(number, started=5.0)
        write(Path(name), document(report.conditions, report.measurements))
    output = tmp_path / "whole.json"
    done = CliRunner().invoke(main, ["bench", "merge", *names, "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert "concurrency 8: " in done.output
    assert len(read(output).conditions.parts) == 2
    done = CliRunner().invoke(main, ["bench", "merge", names[0], "--output", str(output)])
    assert (done.exit_code, "at least two runs" in done.output) == (2, True)


def test_what_layers_count_adds_up_and_what_one_server_counts_does_not(run: Run) -> None:
    metrics = {"nv_inference_count": 20.0, 'cache_hits{store="memory"}': 3.0}
    whole = merged(run(1, metrics=metrics), run(2, metrics=metrics))
    assert whole.metrics == {"nv_inference_count": 20.0, 'cache_hits{store="memory"}': 6.0}


def test_a_last_slice_that_the_end_cuts_off_leaves_the_courses_whole(run: Run) -> None:
    def cut(report: Report) -> Report:
        (one,) = report.measurements
        last = dataclasses.replace(one.timeline[-1], seconds=0.1)
        return dataclasses.replace(
            report, measurements=(dataclasses.replace(one, timeline=(*one.timeline[:-1], last)),)
        )

    whole = merged(cut(run(1)), cut(run(2)))
    assert len(whole.timeline) == 16
    assert whole.timeline[-1].seconds == 0.1


def test_servers_with_other_addresses_are_named(run: Run) -> None:
    one = run(1, started=1.0)
    other = dataclasses.replace(one.conditions, url="http://10.0.0.1:8000")
    (note,) = notes([one, dataclasses.replace(one, conditions=other)], ["a", "b"])
    assert "as of 2 servers: http://localhost:8000, http://10.0.0.1:8000" in note


def test_one_run_is_not_merged_with_itself(run: Run, tmp_path: Path) -> None:
    report = run(1, started=5.0)
    for name in ("a.json", "b.json"):
        write(tmp_path / name, document(report.conditions, report.measurements))
    words = ["bench", "merge", str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    done = CliRunner().invoke(main, [*words, "--output", str(tmp_path / "whole.json")])
    assert done.exit_code == 2
    assert "are one run, which would count twice" in done.output
