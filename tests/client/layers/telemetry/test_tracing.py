"""Spans of a call, and Triton's own spans in the same trace."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from tritonkit.client import (
    AsyncClient,
    Cache,
    Client,
    Hedge,
    HttpTransport,
    InferRequest,
    Retry,
    Route,
    Stack,
    Telemetry,
    Tiers,
)
from tritonkit.client.spans import trace_headers, tracing
from tritonkit.errors import InferenceFailed, ServerUnavailable

if TYPE_CHECKING:
    from tests.client.conftest import FaultServer, Triton
    from tests.client.layers.conftest import Kit, Model

    from tritonkit.server.testing import TritonServer

MODEL = """
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [
            pb.InferenceResponse(
                [pb.Tensor("y", pb.get_input_tensor_by_name(request, "x").as_numpy())]
            )
            for request in requests
        ]
"""
CONFIG = """
backend: "python"
max_batch_size: 8
input [ { name: "x", data_type: TYPE_FP32, dims: [ 1 ] } ]
output [ { name: "y", data_type: TYPE_FP32, dims: [ 1 ] } ]
"""


class Spans:
    """What was exported, from the first to the last that ended."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def __iter__(self) -> Iterator[ReadableSpan]:
        return iter(self.exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self if span.name == name]

    def tree(self) -> dict[str, str]:
        """The parent's name of each span."""
        names = {span.context.span_id: span.name for span in self if span.context}
        return {span.name: names[span.parent.span_id] if span.parent else "" for span in self}


@pytest.fixture
def spans() -> Spans:
    return Spans()


async def test_a_call_and_what_the_layers_did(kit: type[Kit], model: Model, spans: Spans) -> None:
    """One for the call, one for each tier, each attempt and a look into a slow store."""
    telemetry = Telemetry(provider=spans.provider)
    layers = [telemetry, Tiers(Route("accurate"), Route("fast", version="2")), Retry(2, base=0)]
    stack = Stack(model.transport, layers)
    handler = model.transport.handler

    def first_fails(request: InferRequest) -> Any:
        if not request.version:
            raise ServerUnavailable("the secret of a message", model="m")
        return handler(request)

    model.transport.handler = first_fails
    await kit.ask(stack, [1, 2], tags={"user": "u17"}, scope="acme")
    assert [span.name for span in spans] == [
        "attempt", "attempt", "tier", "attempt", "tier", "infer",
    ]  # fmt: skip
    assert spans.tree() == {"infer": "", "tier": "infer", "attempt": "tier"}
    assert len({span.context.trace_id for span in spans if span.context}) == 1
    assert [span.attributes for span in spans.named("attempt")] == [
        {"triton.number": 1, "error.type": "ServerUnavailable"},
        {"triton.number": 2, "error.type": "ServerUnavailable"},
        {"triton.number": 1},
    ]
    (call,) = spans.named("infer")
    assert call.attributes == {
        "triton.model": "m",
        "triton.priority": "live",
        "triton.version": "2",
        "triton.cache": "model",
        "triton.rows": 2,
        "triton.attempts": 1,
        "triton.tier": "fast",
        "triton.degraded": "fallback: accurate: ServerUnavailable",
    }
    assert spans.named("attempt")[0].status.status_code is trace.StatusCode.ERROR
    assert call.status.status_code is trace.StatusCode.UNSET
    text = " ".join(span.to_json() for span in spans)
    assert not any(word in text for word in ("secret", "u17", "acme"))
    assert tracing.get() is None
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_hits_and_failures_and_who_leaves(kit: type[Kit], model: Model, spans: Spans) -> None:
    stack = Stack(model.transport, [Telemetry(provider=spans.provider), Cache()])
    await kit.ask(stack, [1])
    x = np.array([[1]], dtype=np.float32)
    assert stack.now(InferRequest(model="m", inputs={"x": x})) is not None
    model.failure = InferenceFailed("as told")
    with pytest.raises(InferenceFailed):
        await kit.ask(stack, [2])
    model.failure, model.gate = None, asyncio.Event()
    call = asyncio.ensure_future(kit.ask(stack, [3]))
    await kit.settle()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    miss, hit, failed, left = spans.named("infer")
    assert miss.attributes is not None
    assert hit.attributes is not None
    assert (miss.attributes["triton.cache"], hit.attributes["triton.cache"]) == ("model", "memory")
    assert hit.end_time is not None
    assert hit.start_time is not None
    assert 0 < hit.end_time - hit.start_time < 10**9
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert left.status.status_code is trace.StatusCode.UNSET
    assert left.attributes is not None
    assert left.attributes["error.type"] == "Cancelled"


async def test_a_second_request(kit: type[Kit], model: Model, spans: Spans) -> None:
    telemetry = Telemetry(provider=spans.provider)
    stack = Stack(model.transport, [telemetry, Hedge(models=["m"], min_samples=0, budget="100%")])
    seconds = iter([0.0, 0.2, 0.0])

    async def answer(request: InferRequest) -> Any:
        await asyncio.sleep(next(seconds))
        return {"y": request.inputs["x"]}

    model.transport.handler = answer
    await kit.ask(stack, [1])
    await kit.ask(stack, [1])
    assert spans.tree()["hedge"] == "infer"


async def test_nothing_is_sent_without_spans(fault_server: FaultServer) -> None:
    """Nor where the caller's trace is not sampled by a provider that makes none."""
    assert trace_headers() == ()
    heads = await _heads(fault_server, Telemetry())
    assert "traceparent" not in heads[0]


async def test_the_header_of_http(fault_server: FaultServer, spans: Spans) -> None:
    """W3C's traceparent, of the innermost span, and no baggage."""
    heads = await _heads(fault_server, Telemetry(provider=spans.provider), Retry())
    (attempt,) = spans.named("attempt")
    assert attempt.context is not None
    want = f"00-{attempt.context.trace_id:032x}-{attempt.context.span_id:016x}-"
    assert f"\r\ntraceparent: {want}" in heads[0]
    assert _flags(heads[0]) & 1
    assert "baggage" not in heads[0]
    # Who does not sample says so, and Triton then need not either.
    off = Spans(sampler=ALWAYS_OFF)
    heads = await _heads(fault_server, Telemetry(provider=off.provider))
    assert not _flags(heads[0]) & 1


def _flags(head: str) -> int:
    """Of the traceparent; the lowest is that the trace is sampled."""
    return int(head.split("traceparent: ")[1].partition("\r\n")[0][-2:], 16)


async def _heads(fault_server: FaultServer, *layers: Any) -> list[str]:
    heads: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = b'{"error": "as told"}'
        writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await reader.read(1)

    address = await fault_server(answer)
    stack = Stack(HttpTransport(str(address)), layers)
    x = np.zeros((1, 1), dtype=np.float32)
    with pytest.raises(Exception, match="as told"):
        await stack(InferRequest(model="m", inputs={"x": x}))
    await stack.aclose()
    return heads


def test_a_callers_own_span_is_the_parent(triton: Triton, spans: Spans) -> None:
    """Of a Client too, whose work is done in another thread."""
    telemetry = Telemetry(provider=spans.provider)
    tracer = trace.get_tracer("app", tracer_provider=spans.provider)
    with Client(triton.http, [telemetry]) as client, tracer.start_as_current_span("page"):
        client.infer("same", np.zeros((1, 16), dtype=np.float32))
    assert spans.tree() == {"infer": "page", "page": ""}


class Collector(ThreadingHTTPServer):
    """Takes what Triton exports over OTLP: JSON, from the version that is embedded."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for resource in body["resourceSpans"]:
                    for scope in resource["scopeSpans"]:
                        spans.extend(scope["spans"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def children(self, trace_id: str, parent: str) -> list[str]:
        """Names of the spans of a trace below one of its spans, once there are any."""
        end = time.monotonic() + 15
        found: list[str] = []
        while not found and time.monotonic() < end:
            time.sleep(0.05)
            found = [
                span["name"]
                for span in self.spans
                if span["traceId"] == trace_id and span.get("parentSpanId") == parent
            ]
        return found

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    yield server
    server.close()


def test_tritons_own_spans_join(
    tmp_path: Path, triton_server: TritonServer, collector: Collector, spans: Spans
) -> None:
    """Over HTTP and over gRPC: they are of our trace, and our innermost span is their parent."""
    version = tmp_path / "copy" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    url = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    settings = ["mode=opentelemetry", "level=TIMESTAMPS", "rate=1", f"opentelemetry,url={url}"]
    settings += ["opentelemetry,bsp_schedule_delay=50"]
    server = triton_server(
        tmp_path,
        stop_timeout=0,
        extra=[part for setting in settings for part in ("--trace-config", setting)],
    )

    async def ask(url: str) -> None:
        layers = [Telemetry(provider=spans.provider), Retry()]
        async with AsyncClient(url, layers) as client:
            await client.infer("copy", [[1.0]])

    for address in (server.http_url, f"grpc://{server.grpc_url}"):
        spans.exporter.clear()
        asyncio.run(ask(address))
        (attempt,) = spans.named("attempt")
        assert attempt.context is not None
        found = collector.children(
            f"{attempt.context.trace_id:032x}", f"{attempt.context.span_id:016x}"
        )
        assert found == ["InferRequest"], address
