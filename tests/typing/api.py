"""The client and the repository as users type them; `make types` reads this, nothing runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from tritonkit.client import (
    Arm,
    AsyncClient,
    Cache,
    Client,
    Coalesce,
    Entry,
    InferRequest,
    InferResponse,
    KeyTrace,
    Layer,
    Memory,
    Outcomes,
    Redis,
    RowIndependence,
    Service,
    Snapshot,
    Spike,
    Split,
    SqliteLog,
    Store,
    Telemetry,
    Tokens,
    Trace,
    probe_row_independence,
)
from tritonkit.repository import (
    Ensemble,
    Finding,
    Graph,
    Model,
    ModelConfig,
    Release,
    Report,
    Severity,
    Target,
    check_repository,
    read_graph,
    write_models,
)


def experiment() -> None:
    split = Split(
        "int8",
        Arm("control", model="embed", weight=90),
        Arm("treatment", model="embed_int8", weight=10, layers=[Cache()]),
        share="20%",
        group="search",
        range=(0.0, 0.5),
        overrides={"u1": "treatment"},
        overrides_by={"team": {"qa": "treatment"}},
    )
    with Client("http://localhost:8000", [split], experiments="experiments.db") as client:
        answer = client.infer("embed", "hello", tags={"user": "u17"})
        assert_type(answer.trace.arms, tuple[tuple[str, str], ...])
        client.record(answer.trace.answer, "clicks", 1)
    with Outcomes(SqliteLog("experiments.db", max_age=None)) as outcomes:
        outcomes.record(answer.trace.answer, "paid", 12.5, at=1.0)
    assert_type(split.counts["untagged"], int)


def sync() -> None:
    cache = Cache(
        Memory("64MB"),
        Redis("redis://localhost:6379", budget="10ms", compress=True),
        ttl=timedelta(days=1),
        stale="1h",
        stale_if_error=3600.0,
        models=["embed"],
        rows={"embed"},
        identities={"embed": "2026-11"},
        secret=bytes(32),
        lease="2s",
        record=KeyTrace("traces"),
    )
    with Client("http://localhost:8000", [cache, Coalesce()]) as client:
        answer = client.infer("embed", {"text": ["hello", b"world"]}, timeout="80ms", scope="a")
        assert_type(answer, InferResponse)
        assert_type(answer["embedding"], NDArray[Any])
        assert_type(answer.trace, Trace)
        assert_type(answer.trace.origins, tuple[str, ...])
        client.infer("embed", "hello")
        client.infer("embed", np.zeros((2, 3), dtype=np.float32), outputs=["y"])
        client.invalidate("embed")
        client.invalidate(scope="a")
    assert_type(cache.stores, tuple[Store, ...])
    assert_type(cache.counts["memory"], int)
    assert_type(Memory().nbytes, int)
    assert_type(Redis().counters, dict[str, int])


async def asynchronous() -> None:
    async with AsyncClient("grpc://localhost:8001", [Cache(), Coalesce()]) as client:
        answer = await client.infer("embed", {"text": "hello"}, parameters={"top": 3})
        assert_type(answer, InferResponse)
        assert_type(client.infer_now("embed", {"text": "hello"}), InferResponse | None)
        await client.invalidate()
        found = await probe_row_independence(client, "embed", {"text": ["a", "b"]})
        assert_type(found, RowIndependence)


class Shelf(Store):
    """A store of the user's own."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}

    async def get(self, model: str, keys: Sequence[bytes]) -> list[Entry | None]:
        return [self._entries.get(key) for key in keys]

    async def put(self, model: str, entries: Mapping[bytes, Entry], lifetime: float | None) -> None:
        self._entries.update(entries)


def watched() -> None:
    def told(spike: Spike) -> None:
        assert_type(spike.tokens, int)

    telemetry = Telemetry("shop", models=["embed"], tokens=Tokens(on_spike=told), spans=True)
    with Client("http://localhost:8000", [telemetry]) as client:
        assert_type(client.stats(), Snapshot)
        assert_type(client.stats().to_json(), str)
        assert_type(telemetry.serve_metrics(0).port, int)
    for sketch in telemetry.latencies().values():
        assert_type(sketch.quantiles([0.5]), list[float])


def repository() -> None:
    target = Target(Release(24, 10), gpus=1)
    embed = Ensemble("embed", repository="model_repository", target=target)
    embed.step("tokenizer").step("encoder", inputs={"input_ids": "ids"}, version=2)
    embed.step(ModelConfig(name="pooling"), outputs={"pooled": "embedding"}).output("embedding")
    assert_type(embed.input("text"), Ensemble)
    assert_type(embed.config(max_batch_size=8), ModelConfig)
    assert_type(embed.model(version=2), Model)
    outer = Ensemble("outer", [Path("one"), "two"]).step(embed)
    write_models(Path("model_repository"), [embed.model(), outer.model()])

    report = check_repository("model_repository", models=["embed"], target=target)
    assert_type(report, Report)
    assert_type(report.findings, tuple[Finding, ...])
    assert_type(report.ok(strict=True), bool)
    errors = [one for one in report.findings if one.rule.severity is Severity.ERROR]
    assert_type(errors, list[Finding])
    assert_type(read_graph(Path("model.onnx")), Graph)


class Shout(Layer):
    """A layer of the user's own."""

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        return await inner(request)


LAYERS: list[Layer] = [Shout(), Cache(Shelf())]
