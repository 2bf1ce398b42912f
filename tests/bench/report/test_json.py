from __future__ import annotations

import dataclasses
import json
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
from tritonkit.bench.report.json import FORMAT, check_writable, document, write
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
    assert (run["concurrency"], run["batch_size"], run["requests"], run["failed"]) == (4, 3, 2, 1)
    assert (run["requests_per_second"], run["inferences_per_second"]) == (1.0, 3.0)
    assert run["latency_us"]["mean"] == 2.0
    assert set(run["latency_us"]) == {
        "mean",
        "min",
        "p50",
        "p75",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "max",
    }
    assert run["failures"] == [{"kind": "InferenceFailed", "count": 1, "first": "no"}]
    assert run["server"][0]["queue_us"] == 4.0
    assert run["server"][0]["batches"] == {"3": 2}
    assert HdrHistogram.decode(run["hdrhistogram_ns"]).get_total_count() == 2


def test_a_run_without_answers_has_nulls_and_is_json() -> None:
    (run,) = document(CONDITIONS, [measurement([])])["measurements"]
    assert run["latency_us"]["p99"] is None
    json.dumps(run, allow_nan=False)


def test_close_percentiles_have_names_of_their_own() -> None:
    counts = Counts.of(np.array([1_000]))
    run = dataclasses.replace(
        measurement([1_000]), latency=latency_of(counts, (50.0, 99.99, 99.99999, 100.0))
    )
    names = set(document(CONDITIONS, [run])["measurements"][0]["latency_us"])
    assert names == {"mean", "min", "p50", "p99.99", "p99.99999", "p100", "max"}


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
