"""A caller's trace goes on through the gateway's spans to the server."""

from __future__ import annotations

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.spans import trace_headers
from tritonkit.client.stack import Stack
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.gateway.http.passing import passing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {
    b"traceparent": f"00-{TRACE}-{PARENT}-01".encode(),
    b"x-request-id": b"r-17",
    b"host": b"x",
}
REQUEST = InferRequest(model="m", inputs={})


async def test_passes_on_what_the_caller_says() -> None:
    telemetry = Telemetry()
    with passing(HEADERS, telemetry):
        sent = dict(trace_headers())
    assert sent == {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "r-17"}
    assert trace_headers() == ()
    with passing({b"host": b"x", b"traceparent": b"\xff", b"x-request-id": b"r" * 600}, telemetry):
        assert trace_headers() == ()


async def test_spans_continue_the_callers_trace() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    sent: list[dict[str, str]] = []

    async def server(request: InferRequest) -> InferResponse:
        sent.append(dict(trace_headers()))
        return InferResponse(model=request.model, outputs={})

    telemetry = Telemetry(provider=provider)
    stack = Stack(server, [telemetry])
    with passing(HEADERS, telemetry):
        await stack(REQUEST)
    await stack(REQUEST)
    first, second = exporter.get_finished_spans()
    assert first.context is not None
    assert second.context is not None
    assert first.parent is not None
    assert f"{first.context.trace_id:032x}" == TRACE
    assert f"{first.parent.span_id:016x}" == PARENT
    assert sent[0]["traceparent"] == f"00-{TRACE}-{first.context.span_id:016x}-01"
    assert f"{second.context.trace_id:032x}" != TRACE
    provider.shutdown()
