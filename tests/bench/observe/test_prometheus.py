from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from tritonkit.bench.observe.around import observers_of
from tritonkit.bench.observe.observer import Observed
from tritonkit.bench.observe.prometheus import Metrics, find_metrics, scrape
from tritonkit.client import AsyncClient
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError
from tritonkit.server import EmbeddedServer

TEXT = """\
# TYPE nv_inference_count counter
nv_inference_count{{model="echo"}} {count}
# TYPE nv_gpu_utilization gauge
nv_gpu_utilization{{gpu_uuid="GPU-1"}} {share}
# TYPE nv_gpu_memory_used_bytes gauge
nv_gpu_memory_used_bytes{{gpu_uuid="GPU-1"}} {memory}
# TYPE nv_gpu_power_usage gauge
nv_gpu_power_usage{{gpu_uuid="GPU-1"}} 100
"""


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Counts its own scrapes; the second finds a busy GPU."""

    scrapes = 0

    def do_GET(self) -> None:
        Endpoint.scrapes += 1
        second = Endpoint.scrapes == 2
        text = TEXT.format(count=10 * Endpoint.scrapes, share=float(second), memory=5 + second)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello" if self.path == "/other" else text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    Endpoint.scrapes = 0
    with http.server.HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_window_holds_gains_means_and_the_gpus_of_the_server(endpoint: str) -> None:
    """Scraped at the start and at the end: the GPU was busy in one of two."""
    metrics = Metrics(f"{endpoint}/metrics", interval=60)
    await metrics.start()
    assert await metrics.stop() == Observed(
        metrics={
            'nv_inference_count{model="echo"}': 10.0,
            'nv_gpu_utilization{gpu_uuid="GPU-1"}': 0.5,
            'nv_gpu_memory_used_bytes{gpu_uuid="GPU-1"}': 5.5,
            'nv_gpu_power_usage{gpu_uuid="GPU-1"}': 100.0,
        },
        gpu_utilisation={"GPU-1": 0.5},
        gpu_memory_bytes={"GPU-1": 6},
        gpu_power_watts={"GPU-1": 100.0},
    )


async def test_an_endpoint_that_is_away_tells_nothing() -> None:
    metrics = Metrics("http://127.0.0.1:9/metrics")
    await metrics.start()
    assert await metrics.stop() == Observed()


async def test_a_url_that_was_given_must_have_metrics(endpoint: str) -> None:
    address = Address.parse("http://127.0.0.1:8000")
    assert await find_metrics(f"{endpoint}/metrics", address) == f"{endpoint}/metrics"
    assert await find_metrics("off", address) is None
    with pytest.raises(ConfigError, match=r"no metrics at .*/other.*no Prometheus metrics"):
        await find_metrics(f"{endpoint}/other", address)
    with pytest.raises(ConfigError, match="refused"):
        await find_metrics("http://127.0.0.1:9/metrics", address)
    with pytest.raises(ConfigError, match="must be http"):
        await find_metrics("file:///etc/passwd", address)


async def test_metrics_are_found_beside_the_protocol_they_belong_to(endpoint: str) -> None:
    """By the server's own ports where they are known, else two further as by default."""
    port = int(endpoint.rpartition(":")[2])
    beside = Address("http", "127.0.0.1", port - 2)
    assert await find_metrics(None, beside) == f"{endpoint}/metrics"
    assert await find_metrics(None, Address("grpc", "127.0.0.1", port - 1)) is not None
    assert await find_metrics(None, beside, [port - 2, 9]) is None
    # A server without metrics; what answers two further is another's.
    assert await find_metrics(None, beside, [port - 2]) is None
    assert await find_metrics(None, Address("http", "127.0.0.1", 1), [1, port]) is not None


async def test_triton_is_observed_from_all_sides(server: EmbeddedServer) -> None:
    """Its metrics at the port that it was given, its processes, and ours without them."""
    observers = await observers_of(Address.parse(server.http_url))
    async with AsyncClient(server.http_url) as client:
        await observers.start()
        for _ in range(50):
            await client.infer("echo", {"x": np.zeros((2, 4), dtype=np.float32)})
        seen = await observers.stop()
    assert seen.metrics['nv_inference_request_success{model="echo",version="1"}'] == 50
    assert seen.metrics['nv_inference_count{model="echo",version="1"}'] == 100
    assert seen.server_cpu is not None
    assert seen.server_rss_bytes is not None
    assert seen.client_rss_bytes is not None
    # A tritonserver with the stubs of its Python models, far above what a process needs at least.
    assert seen.server_rss_bytes > 50e6
    again = await observers_of(Address.parse(server.http_url), "off")
    await again.start()
    assert (await again.stop()).metrics == {}


def test_why_there_is_no_scrape_is_told() -> None:
    assert scrape("http://127.0.0.1:9/metrics") == "[Errno 111] Connection refused"
