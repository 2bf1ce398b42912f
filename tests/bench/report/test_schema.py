"""Every measurement survives its document unchanged, and fits the schema."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from importlib import resources
from typing import Any
from xml.etree import ElementTree

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed, Open
from tritonkit.bench.measurement import (
    Band,
    Failure,
    Latency,
    Measurement,
    Point,
    Slice,
    Usage,
    WayRecord,
)
from tritonkit.bench.observe.statistics import Duration, ModelTimes
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.summary import latency_of
from tritonkit.bench.report import csv as rows
from tritonkit.bench.report import markdown
from tritonkit.bench.report.html import page
from tritonkit.bench.report.json import Report, decode, document, encode, parse
from tritonkit.bench.schedule.described import Described
from tritonkit.machine import Machine

SCHEMA = json.loads(
    resources.files("tritonkit.bench.report").joinpath("schema.json").read_text(encoding="utf-8")
)

# One NaN for all, since NaN equals itself by identity alone.
figures = st.one_of(st.just(math.nan), st.floats(0, 1e12))
seconds = st.floats(0, 1e6)
counts = st.integers(0, 2**40)
names = st.text(max_size=8)
histograms = st.sampled_from(["", latency_of(Counts.of(np.arange(1, 9_000, 7))).histogram])
latencies = st.builds(
    Latency,
    count=counts,
    mean_us=figures,
    min_us=figures,
    max_us=figures,
    percentiles_us=st.dictionaries(st.floats(1e-6, 100), figures, max_size=3),
    histogram=histograms,
)
arrivals = st.builds(
    lambda text, rate: Described(text, {"kind": "poisson", "rate": rate}),
    names,
    st.floats(1e-3, 1e6),
)
points = st.builds(
    Point,
    load=st.one_of(
        st.builds(Closed, st.integers(1, 1024)), st.builds(Open, arrivals, st.integers(1, 9))
    ),
    batch_size=st.integers(1, 64),
    settings=st.dictionaries(names, names, max_size=2),
)
durations = st.builds(Duration, counts, counts)
slices = st.builds(
    Slice,
    start=st.floats(-1e6, 1e6),
    seconds=seconds,
    answered=counts,
    failed=counts,
    dropped=counts,
    p50_us=figures,
    p99_us=figures,
    max_us=figures,
    histogram=histograms,
    repeat=counts,
)
times = st.builds(
    ModelTimes,
    model=names,
    **dict.fromkeys(("requests", "failed", "inferences", "executions"), st.integers(-5, 2**40)),
    **dict.fromkeys(
        ("queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"),
        durations,
    ),
    batches=st.dictionaries(st.integers(1, 64), counts, max_size=2),
)
usages = st.builds(
    Usage,
    client_cpu=seconds,
    client_processes=counts,
    client_rss_bytes=counts,
    server_cpu=st.none() | seconds,
    server_rss_bytes=st.none() | counts,
    gpu_utilisation=st.dictionaries(names, seconds, max_size=1),
    gpu_memory_bytes=st.dictionaries(names, counts, max_size=1),
    gpu_power_watts=st.dictionaries(names, seconds, max_size=1),
)
measurements = st.builds(
    Measurement,
    point=points,
    seconds=st.floats(1e-3, 1e6),
    latency=latencies,
    service_time=latencies,
    failures=st.lists(st.builds(Failure, kind=names, count=counts, first=names), max_size=2).map(
        tuple
    ),
    intended=counts,
    dropped=counts,
    late_us=figures,
    usage=usages,
    timeline=st.lists(slices, max_size=2).map(tuple),
    warmup=seconds,
    unstable=st.none() | names,
    bands=st.dictionaries(names, st.builds(Band, figures, figures, st.floats(0, 1)), max_size=2),
    repeats=st.integers(1, 9),
    ways=st.lists(
        st.builds(WayRecord, name=names, latency=latencies, rows=counts, hits=counts, cost=seconds),
        max_size=1,
    ).map(tuple),
    server=st.none() | st.lists(times, max_size=2).map(tuple),
    metrics=st.dictionaries(names, figures, max_size=2),
    interrupted=st.booleans(),
    started=st.none() | seconds,
)
alone = st.builds(
    Conditions,
    url=names,
    model=names,
    version=names,
    config_digests=st.dictionaries(names, names, max_size=1),
    server=names,
    load=names,
    warmup=seconds,
    duration=st.none() | seconds,
    max_requests=st.none() | st.integers(1, 9),
    timeout=seconds,
    seed=st.integers(-9, 9),
    inputs=st.dictionaries(names, names, max_size=1),
    distinct_requests=counts,
    started=names,
    machine=st.just(Machine.here()),
    versions=st.dictionaries(names, names, max_size=1),
    event_loop=names,
    target=st.dictionaries(names, names | counts, max_size=1),
    workload=st.dictionaries(names, st.lists(counts, max_size=2), max_size=1),
    plan=st.dictionaries(names, st.none() | seconds, max_size=1),
    command=names,
    load_average=st.none() | st.tuples(seconds, seconds, seconds),
)
conditions = st.builds(
    lambda first, parts: Conditions(
        **{name: getattr(first, name) for name in Conditions.__slots__ if name != "parts"},
        parts=tuple(parts),
    ),
    alone,
    st.lists(alone, max_size=2),
)


@given(conditions, measurements)
@settings(max_examples=20)
def test_a_document_gives_back_what_went_in_and_fits_the_schema(
    around: Conditions, measurement: Measurement
) -> None:
    content = document(around, [measurement])
    text = json.dumps(content, allow_nan=False)
    report = parse(text, "x")
    # As text, so that -0.0 and every last digit count.
    assert repr(report.conditions) == repr(around)
    assert repr(report.measurements) == repr((measurement,))
    assert encode(decode(encode(measurement))) == encode(measurement)
    check(json.loads(text), SCHEMA)


@given(conditions, st.lists(measurements, max_size=3))
@settings(max_examples=15, derandomize=True)
def test_every_document_can_be_shown(around: Conditions, found: list[Measurement]) -> None:
    report = Report(around, tuple(found))
    assert len(list(csv.reader(io.StringIO(rows.render([report]), newline="")))) == 1 + len(found)
    assert markdown.render([report])
    ElementTree.fromstring(
        re.sub(r"(<meta [^>]*)>", r"\1/>", page.render([report])).removeprefix("<!doctype html>")
    )


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    @given(measurements)
    @settings(max_examples=1)
    def with_a_field_less(measurement: Measurement) -> None:
        whole = encode(measurement)
        for name in whole:
            torn = {key: value for key, value in whole.items() if key != name}
            assert not fits(torn, SCHEMA["$defs"]["measurement"]), name

    with_a_field_less()
    assert not fits({"loop": "open"}, SCHEMA["$defs"]["point"]["properties"]["load"])
    assert not fits(-1, SCHEMA["$defs"]["count"])


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
TOLD = {"$schema", "$defs", "title", "description"}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    try:
        check(value, schema)
    except AssertionError:
        return False
    return True


def check(value: Any, schema: dict[str, Any], at: str = "") -> None:
    """So much of JSON Schema as this one uses; a keyword that is not known fails."""
    for keyword, wanted in schema.items():
        match keyword:
            case "$ref":
                check(value, SCHEMA["$defs"][wanted.removeprefix("#/$defs/")], at)
            case "const":
                assert value == wanted, at
            case "type":
                kinds = [wanted] if isinstance(wanted, str) else wanted
                allowed = tuple(kind for name in kinds for kind in TYPES[name])
                assert isinstance(value, allowed), f"{at}: {value!r} is no {wanted}"
                assert not isinstance(value, bool) or bool in allowed, at
            case "minimum":
                assert value is None or value >= wanted, at
            case "maximum":
                assert value is None or value <= wanted, at
            case "pattern":
                assert re.search(wanted, value), f"{at}: {value!r}"
            case "required":
                assert not set(wanted) - set(value), f"{at}: {set(wanted) - set(value)}"
            case "properties":
                for name in wanted.keys() & value.keys():
                    check(value[name], wanted[name], f"{at}.{name}")
            case "additionalProperties":
                for name in value.keys() - schema.get("properties", {}).keys():
                    check(value[name], wanted, f"{at}.{name}")
            case "propertyNames":
                for name in value:
                    check(name, wanted, at)
            case "items":
                for number, one in enumerate(value or ()):
                    check(one, wanted, f"{at}[{number}]")
            case "minItems":
                assert value is None or len(value) >= wanted, at
            case "maxItems":
                assert value is None or len(value) <= wanted, at
            case "oneOf":
                assert sum(fits(value, one) for one in wanted) == 1, at
            case _:
                assert keyword in TOLD, keyword
