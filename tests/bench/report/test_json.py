from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Failure, Measurement, Point, Usage
from tritonkit.bench.observe.statistics import gained, read_counters
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.summary import latency_of
from tritonkit.bench.report.json import FORMAT, check_writable, document, parse, read, write
from tritonkit.errors import ConfigError
from tritonkit.machine import Machine

CONDITIONS = Conditions(
    url="http://localhost:8000",
    model="m",
    version="",
    config_digests={"m": "00"},
    server="triton 2.51.0",
    load="closed loop",
    warmup=2.0,
    duration=10.0,
    max_requests=None,
    timeout=60.0,
    seed=0,
    inputs={"x": "FP32"},
    distinct_requests=64,
    started="2026-01-01T00:00:00+00:00",
)


def measurement(latencies_ns: list[int]) -> Measurement:
    latency = latency_of(Counts.of(np.array(latencies_ns, dtype=np.int64)))
    stages = {
        stage: {"count": 2, "ns": 8_000}
        for stage in ("success", "fail", "queue", "compute_infer", "cache_hit")
    }
    statistics = {
        "model_stats": [
            {
                "name": "m",
                "version": "1",
                "inference_count": 6,
                "execution_count": 2,
                "inference_stats": stages,
                "batch_stats": [{"batch_size": 3, "compute_infer": {"count": 2, "ns": 9}}],
            }
        ]
    }
    return Measurement(
        point=Point(load=Closed(4), batch_size=3),
        seconds=2.0,
        latency=latency,
        service_time=latency,
        failures=(Failure(kind="InferenceFailed", count=1, first="no"),),
        usage=Usage(client_cpu=0.5),
        intended=0,
        server=gained((), read_counters(statistics)),
    )


def test_the_document_holds_conditions_figures_and_the_distribution(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write(path, document(CONDITIONS, [measurement([1_000, 3_000])]))
    read = json.loads(path.read_text(encoding="utf-8"))

    assert read["format"] == FORMAT
    assert read["conditions"]["machine"] == dataclasses.asdict(Machine.here())
    assert read["conditions"]["versions"]["tritonkit"]
    (run,) = read["measurements"]
    assert run["point"]["load"] == {"loop": "closed", "concurrency": 4}
    assert (run["point"]["batch_size"], run["requests"], run["failed"]) == (3, 2, 1)
    assert (run["requests_per_second"], run["inferences_per_second"]) == (1.0, 3.0)
    assert run["latency"]["mean_us"] == 2.0
    assert set(run["latency"]["percentiles_us"]) == {"p50", "p75", "p90", "p95", "p99", "p99.9"}
    assert run["failures"] == [{"kind": "InferenceFailed", "count": 1, "first": "no"}]
    assert run["server"][0]["queue"] == {"count": 2, "ns": 8_000, "mean_us": 4.0}
    assert run["server"][0]["batches"] == {"3": 2}
    assert HdrHistogram.decode(run["latency"]["hdrhistogram_ns"]).get_total_count() == 2


def test_a_run_without_answers_has_nulls_and_is_json() -> None:
    (run,) = document(CONDITIONS, [measurement([])])["measurements"]
    assert run["latency"]["percentiles_us"]["p99"] is None
    json.dumps(run, allow_nan=False)


def test_close_percentiles_have_names_of_their_own() -> None:
    counts = Counts.of(np.array([1_000]))
    run = dataclasses.replace(
        measurement([1_000]), latency=latency_of(counts, (50.0, 99.99, 99.99999, 100.0))
    )
    names = set(document(CONDITIONS, [run])["measurements"][0]["latency"]["percentiles_us"])
    assert names == {"p50", "p99.99", "p99.99999", "p100"}


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write(path, {"old": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write(path, {"new": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_a_folder_that_went_away_during_the_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the output .*new\.json cannot be written: .*No such"):
        write(tmp_path / "missing" / "new.json", {})


def test_an_output_that_cannot_be_written_is_found_before_the_run(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.json")
    with pytest.raises(ConfigError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        check_writable(tmp_path / "missing" / "new.json")
    with pytest.raises(ConfigError, match=r"cannot be written: .*too long"):
        check_writable(tmp_path / ("n" * 255))
    assert list(tmp_path.iterdir()) == []


def test_a_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    merged = dataclasses.replace(
        CONDITIONS, parts=(CONDITIONS, CONDITIONS), load_average=(0.5, 1.0, 2.0)
    )
    run = measurement([1_000, 3_000])
    write(path, document(merged, [run, run]))
    report = read(path)
    assert report.conditions == merged
    assert report.measurements == (run, run)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no JSON: Expecting value at line 1, column 1. It ends too early"),
        ('{"format": "trit', "at line 1, column 12. It ends too early"),
        ('{"format": }', "no JSON: Expecting value at line 1, column 12."),
        ("[" * 100_000, "nested too deep"),
        ("[]", f"does not say that its format is {FORMAT}"),
        ('{"format": 2}', "no report of tritonkit bench"),
        ('{"format": "tritonkit-bench/1"}', "take the measurement again"),
        ('{"format": "tritonkit-bench/3"}', "format tritonkit-bench/3, but this version"),
        (f'{{"format": "{FORMAT}"}}', "conditions is missing"),
    ],
)
def test_what_is_no_report_is_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "x.json")
    assert str(caught.value).startswith("x.json ")
    assert told in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"new\.json cannot be read"):
        read(tmp_path / "new.json")
    (tmp_path / "page.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(ConfigError, match=r"page\.png is no JSON"):
        read(tmp_path / "page.png")


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("latency", "count"), "2", "measurements[0].latency.count must be a whole number"),
        (("latency", "count"), 2**64, "measurements[0].latency.count must be a whole number"),
        (("latency", "percentiles_us"), {"slow": 1}, "a percentile is named such as"),
        (("point", "load"), {"loop": "both"}, 'a loop is "closed" or "open"'),
        (("server",), [{"model": 1}], "measurements[0].server[0].batches is missing"),
        (("ways",), {}, "measurements[0].ways must be a list"),
        (("interrupted",), None, "measurements[0].interrupted must be true or false"),
        (("seconds",), True, "measurements[0].seconds must be a number"),
    ],
)
def test_a_wrong_field_is_named_with_its_place(
    place: tuple[str, ...], value: object, told: str
) -> None:
    content = json.loads(json.dumps(document(CONDITIONS, [measurement([1_000])])))
    inner = content["measurements"][0]
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(ConfigError) as caught:
        parse(json.dumps(content), "x.json")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"format": ' + "9" * 5000 + "}", "x is no JSON: "),
        ('{"format": "tritonkit-bench/2", "a": "\\ud800"}', "holds half a character"),
        ('{"format": "tritonkit-bench/2", "a": "\\ud83d\\ude00"}', "conditions is missing"),
    ],
)
def test_what_json_allows_and_nobody_can_write_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse(text, "x")


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("seconds",), 0, "measurements[0].seconds must be a number above 0"),
        (("seconds",), None, "measurements[0].seconds must be a number above 0"),
        (("late_us",), 1e300, "measurements[0].late_us must be a number or null"),
        (("point", "load"), {"loop": "open", "arrivals": {"rate": None}, "max_in_flight": 1},
         "arrivals.rate must be a number above 0"),
        (("timeline",), [{"start": None}], "timeline[0].start must be a number"),
    ],
)  # fmt: skip
def test_figures_that_nobody_can_measure_are_refused_by_their_place(
    path: tuple[str, ...], value: object, told: str
) -> None:
    content = json.loads(json.dumps(document(CONDITIONS, [measurement([5, 6])])))
    inner = content["measurements"][0]
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(ConfigError, match=re.escape(told)):
        parse(json.dumps(content), "x")
