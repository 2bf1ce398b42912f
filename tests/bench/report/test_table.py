from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed, Open
from tritonkit.bench.measurement import (
    Band,
    Failure,
    Measurement,
    Point,
    Usage,
    WayRecord,
)
from tritonkit.bench.observe.statistics import Duration, ModelTimes
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.summary import latency_of
from tritonkit.bench.report.lines import condition_lines
from tritonkit.bench.report.table import (
    latency_tables,
    notes,
    server_table,
    tables,
    ways_table,
)
from tritonkit.bench.schedule.poisson import Poisson

CONDITIONS = Conditions(
    url="http://localhost:8000",
    model="embed",
    version="",
    config_digests={},
    server="triton 2.51.0",
    load="closed loop",
    warmup=2.0,
    duration=10.0,
    max_requests=None,
    timeout=60.0,
    seed=0,
    inputs={"text": "BYTES [batch, 1], 84 texts in shuffled order"},
    distinct_requests=64,
    started="2026-01-01T00:00:00+00:00",
)
TIMES = ModelTimes(
    model="embed_encoder",
    requests=100,
    failed=0,
    inferences=800,
    executions=100,
    queue=Duration(100, 250_000_000),
    compute_input=Duration(100, 1_000_000),
    compute_infer=Duration(100, 30_000_000),
    compute_output=Duration(),
    cache_hit=Duration(),
    cache_miss=Duration(),
    batches={1: 10, 2: 5, 8: 60, 32: 25},
)


def measurement(answered: int = 1000, failed: int = 0, **fields: Any) -> Measurement:
    latency = latency_of(Counts.of(98_700_000 + 13_337 * np.arange(answered)))
    failure = Failure(kind="InferenceFailed", count=failed, first="out of memory [in a kernel]")
    return Measurement(
        point=fields.pop("point", Point(load=Closed(64))),
        seconds=fields.pop("seconds", 0.05),
        latency=latency,
        service_time=latency,
        failures=fields.pop("failures", (failure,) if failed else ()),
        usage=fields.pop("usage", Usage(client_cpu=fields.pop("client_cpu", 0.5))),
        intended=fields.pop("intended", answered + failed),
        **fields,
    )


def rendered(table: Any, width: int = 80) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False).print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def latency_table(conditions: Conditions, runs: list[Measurement], **options: Any) -> Any:
    (table,) = latency_tables(conditions, runs, **options)
    return table


def test_the_latency_table_fits_a_terminal_of_80_columns() -> None:
    lines = rendered(latency_table(CONDITIONS, [measurement()]))
    assert not any("…" in line for line in lines)
    assert lines[-1].split() == [
        *("64", "20,000", "105ms", "111ms", "112ms", "112ms", "112ms", "0", "50%"),
    ]


def test_close_percentiles_have_columns_of_their_own() -> None:
    latency = latency_of(Counts.of(np.array([1_000])), (99.99999, 100.0))
    run = dataclasses.replace(measurement(), latency=latency)
    header = " ".join(rendered(latency_table(CONDITIONS, [run]), width=100))
    assert " p99.99999 " in header
    assert " p100 " in header


def test_failures_are_a_number_and_a_share() -> None:
    lines = rendered(latency_table(CONDITIONS, [measurement(900, failed=100)]), width=100)
    assert "100 (10.0%)" in lines[-1]


def test_a_run_without_answers_shows_dashes() -> None:
    lines = rendered(latency_table(CONDITIONS, [measurement(0, failed=3)]), width=100)
    assert lines[-1].split() == ["64", "0.0", *["-"] * 5, "3", "(100.0%)", "50%"]


def test_the_servers_times_are_means_and_batch_sizes_shares() -> None:
    table = server_table([measurement(server=(TIMES,))])
    line = rendered(table, width=100)[-1]
    assert line.split() == [
        *("64", "embed_encoder", "2.5ms", "10us", "300us", "-", "8.0"),
        *("8", "(60%),", "32", "(25%),", "1", "(10%),", "..."),
    ]


OPEN = Point(load=Open(Poisson(20_000)))


def test_an_open_loop_shows_service_time_and_drops_in_80_columns() -> None:
    run = measurement(point=OPEN, intended=1250, dropped=250, late_us=2_500.0)
    faster = dataclasses.replace(run, service_time=latency_of(Counts.of(np.array([7_000_000]))))
    lines = rendered(latency_table(CONDITIONS, [faster]))
    assert lines[0].startswith("embed, open loop (Poisson); latency from the intended start")
    assert not any("…" in line for line in lines)
    assert lines[-1].split() == [
        *("20000/s", "20,000", "105ms", "111ms", "112ms", "112ms", "112ms", "7ms", "7ms"),
        *("20.0%", "2.5ms", "50%"),
    ]


def test_what_does_not_fit_a_terminal_goes_into_a_table_of_its_own() -> None:
    """Never cut off: "10.…" would be a wrong figure."""
    latency = latency_of(Counts.of(12_345_000 + 1000 * np.arange(1000)), (50, 95, 99, 99.9, 99.99))
    run = measurement(point=OPEN, intended=1300, dropped=250, late_us=2_500.0, failed=50,
        bands={"p99": Band(100_000, 122_000)}, usage=Usage(client_cpu=0.5, server_cpu=1.25),
    )  # fmt: skip
    runs = [
        dataclasses.replace(run, latency=latency, service_time=latency),
        dataclasses.replace(
            run,
            latency=latency_of(Counts.of(np.array([1])), (50, 95, 99, 99.9, 99.99)),
            intended=0,
            dropped=0,
        ),
    ]
    wide = rendered(latency_table(CONDITIONS, runs, goodput=0.1), width=200)[-2].split()
    for width in (60, 80, 100):
        shown = list(latency_tables(CONDITIONS, runs, goodput=0.1, width=width))
        lines = [rendered(table, width) for table in shown]
        assert not any("…" in line for table in lines for line in table)
        assert all(table[-2].split()[0] == "20000/s" for table in lines)
        # Every cell is there, once.
        assert [cell for table in lines for cell in table[-2].split()[1:]] == wide[1:]
        # An interval is in the table of its figure.
        (headers,) = [h for t in shown if "±" in (h := [column.header for column in t.columns])]
        assert headers[headers.index("±") - 1] == "p99"


def test_figures_of_the_server_and_of_ways_are_never_cut_off() -> None:
    """What is long instead is the point's words, which go over several lines."""
    point = Point(
        load=Open(Poisson(20_000)),
        settings={"max_queue_delay": "500us", "preferred_batch_size": "8,16,32"},
    )
    latency = latency_of(Counts.of(np.full(250, 123_456_000)))
    way = WayRecord(name="memory+accurate", latency=latency, rows=500, hits=500, cost=0.25)
    run = measurement(point=point, server=(TIMES,), ways=(way,))
    ways, server = (" ".join(rendered(f([run]), width=80)) for f in (ways_table, server_table))
    assert "…" not in ways + server
    assert "25.0% 123ms 123ms 123ms 100% 0.0005" in " ".join(ways.split())
    assert "2.5ms 10us 300us" in " ".join(server.split())


def test_a_count_and_a_duration_are_both_conditions() -> None:
    both = dataclasses.replace(CONDITIONS, max_requests=500)
    assert dict(condition_lines(both))["window"] == "10s or 500 requests after 2s of warm-up"


def test_brackets_in_a_name_are_no_markup() -> None:
    conditions = dataclasses.replace(CONDITIONS, model="embed[bold]")
    times = dataclasses.replace(TIMES, model="embed[bold]")
    assert "embed[bold]" in rendered(latency_table(conditions, [measurement()]))[0]
    assert "embed[bold]" in rendered(server_table([measurement(server=(times,))]), width=100)[-1]


def test_intervals_unstable_marks_goodput_and_the_servers_cores() -> None:
    run = measurement(
        unstable="the throughput fell by 20%",
        bands={"requests_per_second": Band(19_000, 21_000), "p99": Band(100_000, 122_000)},
        usage=Usage(client_cpu=0.5, server_cpu=1.25),
    )
    lines = rendered(latency_table(CONDITIONS, [run], goodput=0.1), width=100)
    cells = lines[-1].split()
    assert cells[:3] == ["*64", "20,000", "5%"]
    # 98 of the 1,000 answers took up to 100 ms, and its bucket holds 5 more at most.
    assert cells[3] == f"{run.goodput(100_000):,.0f}"
    assert 98 <= run.goodput(100_000) * run.seconds <= 103
    assert "10%" in cells
    assert cells[-1] == "125%"
    assert any("95% confidence" in note for note in notes(CONDITIONS, [run]))


def test_rows_of_a_batch_have_a_rate_of_their_own() -> None:
    run = measurement(point=Point(load=Closed(64), batch_size=8))
    lines = rendered(latency_table(CONDITIONS, [run]), width=100)
    assert "batch size 8" in lines[0]
    assert lines[-1].split()[:3] == ["64", "20,000", "160,000"]


def test_ways_have_shares_percentiles_hits_and_costs() -> None:
    latency = latency_of(Counts.of(np.full(250, 20_000)))
    way = WayRecord(name="memory", latency=latency, rows=500, hits=500, cost=0.25)
    assert ways_table([measurement()]) is None
    cells = rendered(ways_table([measurement(ways=(way,))]))[-1].split()
    assert cells == ["64", "memory", "250", "25.0%", "20us", "20us", "20us", "100%", "0.0005"]


def test_both_loops_have_a_table_each() -> None:
    runs = [measurement(), measurement(point=OPEN), measurement(server=(TIMES,))]
    titles = [table.title for table in tables(CONDITIONS, runs)]
    assert [title.partition(",")[0] for title in titles[:2]] == ["embed", "embed"]
    assert "closed loop" in titles[0]
    assert "open loop" in titles[1]
    assert len(titles) == 3


def test_cache_hits_have_a_column_where_there_are_any() -> None:
    hits = dataclasses.replace(TIMES, cache_hit=Duration(1234, 5))
    assert "1,234" in rendered(server_table([measurement(server=(hits,))]), width=100)[-1]


def test_no_statistics_are_no_table_and_a_note() -> None:
    assert server_table([measurement()]) is None
    assert "the server does not give its statistics" in list(notes(CONDITIONS, [measurement()]))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"failed": 2}, "2 times InferenceFailed, the first: out of memory [in a kernel]"),
        ({"client_cpu": 0.97}, "the load generator used 97% of its core"),
        ({"interrupted": True}, "interrupted after 50ms"),
        ({"unstable": "2.0% of the requests failed"}, "64: unstable, 2.0% of the requests failed"),
        ({"warmup": 3.5}, "in the first 1.5s of the window, which are left out"),
        ({"late_us": 2500.0}, "1% of the requests were sent 2.5ms late or more"),
        ({"answered": 99}, "p99 of fewer than 100, p99.9 of fewer than 1,000 answers is the"),
        (
            {"failures": (Failure(kind="DeadlineExceeded", count=1200, first="late"),)},
            "answered requests; 1,200 that were waited for in vain would be among the longest",
        ),
        ({"dropped": 7}, "7 requests (0.7%) could not start"),
        (
            {"usage": Usage(client_cpu=1.9, client_processes=2)},
            "the load generator used 1.9 of its 2 cores and was the limit",
        ),
    ],
)
def test_what_a_reader_must_know_is_a_note(fields: dict[str, Any], expected: str) -> None:
    assert any(expected in note for note in notes(CONDITIONS, [measurement(**fields)]))
    assert not any(expected in note for note in notes(CONDITIONS, [measurement()]))
