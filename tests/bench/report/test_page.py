"""The page in a real browser, without a network; and that what users named stays text."""

from __future__ import annotations

import dataclasses
import re
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.devtools import Browser

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed, Open
from tritonkit.bench.measurement import (
    Band,
    Failure,
    Measurement,
    Point,
    Slice,
    Usage,
    WayRecord,
)
from tritonkit.bench.observe.statistics import Duration, ModelTimes
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.summary import latency_of
from tritonkit.bench.report import csv, markdown
from tritonkit.bench.report.html.course import Part, course
from tritonkit.bench.report.html.entries import configurations, front
from tritonkit.bench.report.html.page import render
from tritonkit.bench.report.json import Report
from tritonkit.bench.schedule.described import Described

EVIL = "<script>alert(1)</script>\"'&|`\x00"

CONDITIONS = Conditions(
    url="http://localhost:8000",
    model="fraud",
    version="",
    config_digests={"fraud": "00"},
    server="triton 2.51.0",
    load="closed loop",
    warmup=1.0,
    duration=4.0,
    max_requests=None,
    timeout=60.0,
    seed=0,
    inputs={"x": "FP32"},
    distinct_requests=64,
    started="2026-01-01T00:00:00+00:00",
    command="tritonkit bench sweep fraud",
)


def measurement(concurrency: int, delay: str, median_us: float, **fields: Any) -> Measurement:
    random = np.random.default_rng(concurrency)
    values = (1e3 * median_us * random.lognormal(0, 0.5, 400)).astype(np.int64)
    latency = latency_of(Counts.of(values))
    stage = Duration(400, int(4e5 * median_us / 4))
    times = ModelTimes(
        model="fraud",
        requests=400,
        failed=0,
        inferences=400,
        executions=100,
        queue=stage,
        compute_input=stage,
        compute_infer=stage,
        compute_output=stage,
        cache_hit=Duration(),
        cache_miss=Duration(),
        batches={1: 20, 4: 60, 8: 20},
    )
    timeline = tuple(
        Slice(
            start=number - 1.0,
            seconds=1.0,
            answered=100,
            failed=0,
            dropped=0,
            p50_us=median_us,
            p99_us=3 * median_us,
            max_us=4 * median_us,
        )
        for number in range(5)
    )
    return Measurement(
        **{
            "point": Point(load=Closed(concurrency), settings={"max_queue_delay": delay}),
            "seconds": 0.4 / concurrency * median_us / 1000,
            "latency": latency,
            "service_time": latency,
            "failures": (),
            "intended": 400,
            "usage": Usage(client_cpu=0.2, server_cpu=1.5),
            "timeline": timeline,
            "bands": {"p99": Band(2 * median_us, 5 * median_us)},
            "server": (times,),
            **fields,
        }
    )


def sweep() -> Report:
    return Report(
        CONDITIONS,
        tuple(
            measurement(concurrency, delay, 1000 + 100 * concurrency * (1 + len(delay)))
            for delay in ("0us", "500us", "2ms")
            for concurrency in (1, 4, 16)
        ),
    )


def stack() -> Report:
    load = Open(Described("500/s, Poisson", {"kind": "poisson", "rate": 500.0}))
    one = measurement(1, "0us", 900.0)
    way = WayRecord(name=EVIL, latency=one.latency, rows=400, hits=100, cost=3.0)
    evil = dataclasses.replace(
        one,
        point=Point(load=load, settings={EVIL: EVIL}),
        service_time=measurement(2, "0us", 400.0).latency,
        failures=(Failure(kind="InferenceFailed", count=3, first=EVIL),),
        ways=(way,),
        dropped=5,
        unstable=EVIL,
    )
    conditions = dataclasses.replace(
        CONDITIONS, model=EVIL, command=EVIL, inputs={EVIL: EVIL}, target={EVIL: {EVIL: EVIL}}
    )
    return Report(conditions, (evil,))


def empty() -> Report:
    nothing = latency_of(Counts.of(np.empty(0, dtype=np.int64)))
    one = measurement(
        1, "0us", 1.0, latency=nothing, service_time=nothing, timeline=(), server=None, bands={}
    )
    return Report(CONDITIONS, (one,))


def write(path: Path, *reports: Report) -> Path:
    path.write_text(render(reports), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (360, True)])
def test_the_page_opens_without_a_network_and_fits_the_window(
    browser: Browser, tmp_path: Path, width: int, dark: bool
) -> None:
    page = write(tmp_path / "page.html", sweep())
    browser.open(page, width=width, dark=dark)
    assert browser.complaints() == []
    assert browser.asked() == [page.as_uri()]
    # Tables scroll by themselves; the page does not.
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("document.querySelectorAll('svg[role=img][aria-label]').length") >= 8
    assert browser.value(
        "[...document.querySelectorAll('svg')].every(s => s.getBoundingClientRect().width > 250)"
    )
    colours = browser.value("getComputedStyle(document.body).backgroundColor")
    assert colours == ("rgb(20, 24, 28)" if dark else "rgb(255, 255, 255)")
    assert browser.picture().startswith(b"\x89PNG")


def test_buttons_show_and_hide_their_lines(browser: Browser, tmp_path: Path) -> None:
    browser.open(write(tmp_path / "page.html", sweep()), width=1200)
    hidden = "document.querySelectorAll('#throughput .off').length"
    button = "document.querySelector('#throughput .legend button')"
    assert browser.value(hidden) == 0
    browser.value(f"{button}.click()")
    assert browser.value(hidden) > 0
    assert browser.value(f"{button}.getAttribute('aria-pressed')") == "false"
    browser.value(f"{button}.click()")
    assert browser.value(hidden) == 0


def test_what_users_named_is_text(browser: Browser, tmp_path: Path) -> None:
    page = write(tmp_path / "page.html", stack())
    browser.open(page, width=1200)
    assert browser.value("document.scripts.length") == 1
    assert browser.told("Page.javascriptDialogOpening") == []
    assert "<script>alert" not in page.read_text(encoding="utf-8")
    assert browser.value("document.querySelector('h1').textContent").startswith("Load on <script>")
    text = markdown.render([stack()])
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)\|`", text)


def test_a_page_of_several_files_and_of_nothing_can_be_made(
    browser: Browser, tmp_path: Path
) -> None:
    browser.open(write(tmp_path / "page.html", sweep(), stack(), empty()), width=800)
    assert browser.value("document.querySelectorAll('#conditions h3').length") == 3
    assert "svg" in render([empty()])


def repeated() -> Measurement:
    """Two windows of other lengths; of the second more was cut off, and it stood still once."""
    one = measurement(1, "0us", 1000.0)
    first = tuple(one.timeline)
    second = [
        dataclasses.replace(each, start=each.start - 1.0, repeat=1, failed=1) for each in first
    ]
    del second[3]
    return dataclasses.replace(one, timeline=(*second, *first), repeats=2)


def test_windows_follow_each_other_and_a_line_ends_where_nothing_is_known() -> None:
    found = course(repeated())
    assert found is not None
    places = [at for at, _ in found.points()]
    assert places == sorted(places)
    assert [at for at, one in found.points() if one is None] == [4.0, 8.0]
    assert found.warm_ups == [(-1.0, 0.0), (4.0, 6.0)]
    assert found.end == 9.0
    assert course(dataclasses.replace(repeated(), timeline=())) is None


def test_a_course_is_a_table_too_that_leaves_nothing_out() -> None:
    found = course(repeated())
    assert found is not None
    for most in (2, 5, 20):
        parts = found.parts(most)
        assert sum(len(part.slices) for part in parts) == 9
        assert sum(part.rate("failed") * part.seconds for part in parts) == pytest.approx(4)
        assert all(len({one.start < 0 for one in part.slices}) == 1 for part in parts)
    text = render([dataclasses.replace(sweep(), measurements=(repeated(),))])
    assert "concurrency 1, as a table" in text
    assert text.count("<small>warm-up</small>") == 3


def test_percentiles_of_a_course_are_those_of_its_latencies() -> None:
    values = np.arange(1, 1001, dtype=np.int64) * 1000
    slices = tuple(
        dataclasses.replace(
            measurement(1, "", 1.0).timeline[1],
            answered=len(part),
            histogram=latency_of(Counts.of(part)).histogram,
            max_us=part.max() / 1e3,
        )
        for part in (values[:100], values[100:])
    )
    part = Part(0.0, slices)
    assert part.percentile(50) == pytest.approx(500, rel=2e-3)
    assert (part.percentile(100), part.slowest) == (1000, 1000)


def test_a_page_of_a_run_that_nobody_answered_says_so_and_draws_no_empty_picture() -> None:
    nothing = latency_of(Counts.of(np.empty(0, dtype=np.int64)))
    one = measurement(1, "", 1.0, latency=nothing, service_time=nothing, server=None)
    none = [
        dataclasses.replace(each, answered=0, failed=9, p50_us=nan, p99_us=nan, max_us=nan)
        for each in one.timeline
    ]
    failures = (Failure(kind="NotConnected", count=45, first="refused"),)
    one = dataclasses.replace(one, timeline=tuple(none), failures=failures)
    text = render([dataclasses.replace(sweep(), measurements=(one,))])
    assert "No request was answered." in text
    assert "<dd>100.00%<small>of 45 requests</small></dd>" in text
    assert text.count("<svg") == 1


def test_nothing_on_the_front_is_beaten() -> None:
    entries = [entry for one in configurations([sweep()]) for entry in one.entries]
    best = front(entries)
    rates = [entry.measurement.inferences_per_second for entry in best]
    assert rates == sorted(rates)
    for one in best:
        for other in entries:
            assert not (
                other.measurement.inferences_per_second > one.measurement.inferences_per_second
                and other.p99 < one.p99
            )


def test_gpus_have_a_column_where_there_are_any() -> None:
    usage = Usage(
        client_cpu=0.2,
        gpu_utilisation={"GPU-1": 0.5, "GPU-2": 0.7},
        gpu_memory_bytes={"GPU-1": 2 * 10**9},
    )
    seen = dataclasses.replace(sweep(), measurements=(measurement(1, "", 1.0, usage=usage),))
    assert "<td>60%<small>2GB</small></td>" in render([seen])
    assert ">GPU<" not in render([sweep()])


def test_names_hold_what_differs_alone() -> None:
    assert [one.name for one in configurations([sweep()])] == [
        "max_queue_delay 0us",
        "max_queue_delay 500us",
        "max_queue_delay 2ms",
    ]
    plain = dataclasses.replace(
        sweep(), measurements=(measurement(1, "", 1.0, point=Point(load=Closed(1))),)
    )
    assert [one.name for one in configurations([plain])] == [""]


def test_rows_of_csv_are_as_many_as_measurements_and_run_no_formula() -> None:
    named = dataclasses.replace(sweep().conditions, model="=1+1")
    lines = csv.render([dataclasses.replace(sweep(), conditions=named), empty()]).splitlines()
    assert lines[0].split(",") == list(csv.COLUMNS)
    assert len(lines) == 1 + 9 + 1
    assert lines[1].startswith("'=1+1,2026-01-01T00:00:00+00:00,closed,1,,1,")
    assert ",nan" not in lines[-1]


def test_markdown_has_a_row_for_each_measurement_and_folds_the_conditions() -> None:
    text = markdown.render([sweep()])
    assert text.count("| max\\_queue\\_delay") == 9
    assert "<details><summary>Conditions</summary>" in text


def test_what_has_no_such_setting_has_a_row_of_its_own() -> None:
    """A window means nothing without batching; the two stand in one picture all the same."""
    without = [
        dataclasses.replace(
            measurement(callers, "0us", 7000.0),
            point=Point(load=Closed(callers), settings={"dynamic_batching": "off"}),
        )
        for callers in (1, 4, 16)
    ]
    page = render([Report(CONDITIONS, (*without, *sweep().measurements))])
    (grid,) = re.findall(r'<section id="grid".*?</section>', page, re.DOTALL)
    assert ">without<" in grid
