"""One scrape tells about all workers, and no number ever goes back."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.gateway.api.metrics.exposition import Exposition
from tritonkit.gateway.api.metrics.family import Family, Sample, packed, together, unpacked
from tritonkit.gateway.api.metrics.text import as_text
from tritonkit.gateway.api.metrics.traffic import BOUNDS, Traffic
from tritonkit.gateway.passed import Passed
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.settings import Tenant
from tritonkit.gateway.tenants.tenants import Tenants

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
SAMPLES = st.builds(
    Sample, TEXT, st.dictionaries(TEXT, TEXT, max_size=2), st.floats(allow_nan=False)
)
FAMILIES = st.lists(st.builds(Family, TEXT, TEXT, TEXT, st.lists(SAMPLES, max_size=3)), max_size=3)


@settings(max_examples=30)
@given(FAMILIES)
def test_what_one_worker_writes_another_reads(families: list[Family]) -> None:
    assert unpacked(packed(families)) == families


LABELS = st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=5), max_size=2)
VALUES = st.floats() | st.integers(-(2**53), 2**53)


@settings(max_examples=50)
@given(st.lists(st.tuples(LABELS, VALUES), max_size=4), st.text(max_size=8), st.booleans())
def test_what_is_written_is_read_by_prometheus_own_parser(
    samples: list[tuple[dict[str, str], float]], about: str, openmetrics: bool
) -> None:
    # Half a character becomes a question mark before it comes here.
    clean = [
        ({name: text(value) for name, value in labels.items()}, value) for labels, value in samples
    ]
    # In whatever order they come, the same labels are one sample's.
    different = {tuple(sorted(labels.items())): (labels, value) for labels, value in clean}.values()
    family = Family("f", "gauge", text(about), [Sample("", *each) for each in different])
    body = as_text([family], openmetrics=openmetrics).decode()
    (read,) = (read_open if openmetrics else read_plain)(body)
    assert [(s.name, s.labels) for s in read.samples] == [("f", labels) for labels, _ in different]
    for found, (_, value) in zip(read.samples, different, strict=True):
        assert found.value == value or math.isnan(value)


def text(value: str) -> str:
    """What a name may be; parsers of lines end one at more than a line feed."""
    return "".join(each for each in value if each.isprintable() or each in "\n")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"version": 2}', b'{"version":1}', b"\xff"])
def test_what_is_no_metrics_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011, whatever it says
        unpacked(data)


def test_samples_have_their_workers_name() -> None:
    first = Family("f", "counter", "help", [Sample("_total", {"a": "b"}, 1)])
    second = Family("f", "counter", "help", [Sample("_total", {"a": "b"}, 2)])
    (both,) = together({"0": [first], "1": [second]})
    assert [(s.labels, s.value) for s in both.samples] == [
        ({"a": "b", "worker": "0"}, 1),
        ({"a": "b", "worker": "1"}, 2),
    ]


@settings(max_examples=30)
@given(st.lists(st.floats(0, 100), max_size=30))
def test_the_histogram_is_one(seconds: list[float]) -> None:
    traffic = Traffic()
    for each in seconds:
        traffic.count("infer", 200, "", each)
    (family,) = [family for family in traffic.families() if family.kind == "histogram"]
    samples = {(s.suffix, s.labels.get("le", "")): s.value for s in family.samples}
    for bound in BOUNDS if seconds else ():
        assert samples["_bucket", f"{bound:g}"] == sum(each <= bound for each in seconds)
    if seconds:
        assert samples["_bucket", "+Inf"] == samples["_count", ""] == len(seconds)
        assert math.isclose(samples["_sum", ""], math.fsum(seconds), abs_tol=1e-9)


def test_who_is_turned_away_counts_and_makes_no_answer_look_quick() -> None:
    traffic = Traffic()
    traffic.observe(Passed(at=0, seconds=1e-6, route="infer", status=429, error="Refused"))
    found = {family.name: family.samples for family in traffic.families()}
    (told,) = found["tritonkit_gateway_requests"]
    assert (told.labels["status"], told.value) == ("429", 1)
    assert found["tritonkit_gateway_seconds"] == []


def worker(number: int, folder: Path | None, workers: int = 2) -> tuple[Exposition, Traffic]:
    telemetry = Telemetry()
    client = AsyncClient("http://127.0.0.1:9", [telemetry])
    serving = Serving(client=client, telemetry=telemetry, worker=number, workers=workers)
    tenants = Tenants([Tenant("alpha", token="alpha-0123456789abcdef")])
    tenants.refusals["token", ""] += 1
    traffic = Traffic(tenants)
    serving.observers.append(traffic.observe)
    serving.passed(Passed(at=0, seconds=0.003, route="infer", tenant="alpha"))
    return Exposition(serving, traffic, folder), traffic


async def written(folder: Path) -> None:
    """Both have laid down their numbers, by themselves."""
    for _ in range(1000):
        if {"metrics-0.json", "metrics-1.json"} <= set(names(folder)):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"only {names(folder)}")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def scrape(exposition: Exposition, accept: str = "") -> dict[tuple[str, str, str], float]:
    body, content_type = await exposition.text(accept)
    read = read_open if "openmetrics" in content_type else read_plain
    return {
        (s.name, s.labels["worker"], s.labels.get("route", "")): s.value
        for family in read(body.decode())
        for s in family.samples
    }


async def test_a_scrape_of_any_worker_tells_about_all(tmp_path: Path) -> None:
    (first, traffic), (second, _) = worker(0, tmp_path), worker(1, tmp_path)
    first.start()
    second.start()
    await written(tmp_path)
    requests = "tritonkit_gateway_requests_total"
    for exposition in (first, second):
        for accept in ("", OPEN):
            seen = await scrape(exposition, accept)
            assert seen[requests, "0", "infer"] == seen[requests, "1", "infer"] == 1
            assert ("tritonkit_in_flight", "0", "") in seen
            assert ("process_open_fds", "1", "") in seen
            assert seen["tritonkit_gateway_refused_total", "1", ""] == 1
    # What one has shown, the other one shows at once, however seldom it is published.
    await first.aclose()
    traffic.count("infer", 200, "alpha", 0.1)
    assert (await scrape(first))[requests, "0", "infer"] == 2
    assert (await scrape(second))[requests, "0", "infer"] == 2
    await second.aclose()
    assert names(tmp_path) == ["metrics-0.json", "metrics-1.json"]


async def test_one_worker_needs_no_folder() -> None:
    exposition, _ = worker(0, None, workers=1)
    exposition.start()
    seen = await scrape(exposition, "application/openmetrics-text; version=none")
    assert seen["tritonkit_gateway_requests_total", "0", "infer"] == 1
    await exposition.aclose()


async def test_the_content_type_is_that_of_the_format() -> None:
    exposition, _ = worker(0, None, workers=1)
    body, content_type = await exposition.text("text/plain")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert not body.endswith(b"# EOF\n")
    body, content_type = await exposition.text(OPEN)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert body.endswith(b"# EOF\n")
