"""Who gets a request, at a real gateway in front of a real Triton."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.gateway.running import Gateway, running_gateway

if TYPE_CHECKING:
    from conftest import Triton

POLICY = """
[[layers]]
type = "cache"
ttl = "1h"
stores = [{ type = "memory", size = "1MB" }]

[[layers]]
type = "budget"
quotas = [{ limit = "1000", per = "tenant", window = "1h" }]
costs = { type = "costs", default = { call = "1" } }

[gateway]
max_body = "100kB"

[gateway.tenants.owner]
token = "the-owner-of-all-of-it"
admin = true

[gateway.tenants.shop]
token = "a-shop-with-few-rights"
rights = ["infer", "read"]
max_body = "10kB"

[gateway.tenants.passer_by]
anonymous = true
rights = ["read"]
"""
OWNER = {"Authorization": "Bearer the-owner-of-all-of-it"}
SHOP = {"Authorization": "Bearer a-shop-with-few-rights"}
INFER = "/v2/models/keeps/infer"


@pytest.fixture(scope="module")
def gateway(triton: Triton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("app")
    with running_gateway(POLICY, upstream=triton.http, folder=folder) as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log


class Said:
    """An answer."""

    def __init__(
        self, port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            self.status, self.headers = response.status, dict(response.getheaders())
            self.body = response.read()
        finally:
            connection.close()

    @property
    def origins(self) -> object:
        return json.loads(self.headers["X-Tritonkit-Trace"])["origins"]


def ask(
    at: Gateway | int, method: str, path: str, body: bytes | None = None, **headers: str
) -> Said:
    port = at if isinstance(at, int) else at.port
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Said(port, method, path, body, names)


def numbers(x: float, **more: object) -> bytes:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [x] * 4}
    return json.dumps({"inputs": [tensor], **more}).encode()


def test_an_answer_is_kept_for_the_tenant_alone(gateway: Gateway) -> None:
    first = ask(gateway, "POST", INFER, numbers(1), **SHOP)
    again = ask(gateway, "POST", INFER, numbers(1), **SHOP)
    other = ask(gateway, "POST", INFER, numbers(1), **OWNER)
    assert first.body == again.body == other.body
    assert [each.origins for each in (first, again, other)] == [
        {"model": 1},
        {"memory": 1},
        {"model": 1},
    ]


def test_lets_in_by_right(gateway: Gateway) -> None:
    assert ask(gateway, "GET", "/v2/models/keeps").status == 200
    assert ask(gateway, "GET", "/v2/health/ready").status == 200
    # Who has no token may have the right with one.
    assert ask(gateway, "POST", INFER, numbers(1)).status == 401
    assert ask(gateway, "POST", INFER, numbers(1), Authorization="Bearer wrong").status == 401
    assert ask(gateway, "POST", "/v2/repository/index").status == 200
    for path in ("load", "unload"):
        refused = ask(gateway, "POST", f"/v2/repository/models/idle/{path}", **SHOP)
        assert refused.status == 403
        assert b"has not the right 'admin'" in refused.body
    assert ask(gateway, "POST", "/v2/repository/models/idle/load", **OWNER).status == 200
    assert ask(gateway, "GET", "/v2/models/idle/ready").status == 200
    assert ask(gateway, "POST", "/v2/repository/models/idle/unload", **OWNER).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v2/logging",
        "/v2//logging",
        "/v2/./logging",
        "/v2/%2e/logging",
        "/v2/models/%2e%2e/logging",
        "/v2/models/keeps/%2e%2e/%2e%2e/logging",
        "/v2/models/keeps%2f..%2f..%2flogging",
        "/v2/l%6fgging",
        "/%76%32/logging?a=/v2/models/keeps",
        "/v2/Logging",
        "/v2/logging/",
        "/v2/logging%20",
        "/v2/logging%00",
        "/v2/logging#x",
        "http://x/v2/logging",
    ],
)
def test_no_spelling_reaches_what_changes_a_server(
    gateway: Gateway, triton: Triton, path: str
) -> None:
    said = ask(gateway, "POST", path, b'{"log_verbose_level": 7}', **SHOP)
    assert said.status in (400, 403, 404)
    settings = ask(int(triton.http_target.rpartition(":")[2]), "GET", "/v2/logging")
    assert json.loads(settings.body)["log_verbose_level"] == 0


def test_a_tenants_own_limit(gateway: Gateway) -> None:
    """On what comes, and on what it becomes."""
    large = numbers(1, id="i" * 20_000)
    assert ask(gateway, "POST", INFER, large, **OWNER).status == 200
    assert ask(gateway, "POST", INFER, large, **SHOP).status == 413
    packed = ask(gateway, "POST", INFER, gzip.compress(large), Content_Encoding="gzip", **SHOP)
    assert packed.status == 413


def test_packs_and_unpacks(gateway: Gateway) -> None:
    plain = ask(gateway, "POST", INFER, numbers(3), **OWNER)
    for coding, pack, unpack in (
        ("gzip", gzip.compress, gzip.decompress),
        ("deflate", zlib.compress, zlib.decompress),
    ):
        said = ask(
            gateway,
            "POST",
            INFER,
            pack(numbers(3)),
            Content_Encoding=coding,
            Accept_Encoding=coding,
            **OWNER,
        )
        assert said.headers["Content-Encoding"] == coding
        assert unpack(said.body) == plain.body
        error = ask(gateway, "POST", INFER, b"{", Accept_Encoding=coding, **OWNER)
        assert "Content-Encoding" not in error.headers
    assert ask(gateway, "POST", INFER, b"", Content_Encoding="br", **OWNER).status == 501


def test_a_budget_is_not_passed_by(gateway: Gateway, triton: Triton, tmp_path: Path) -> None:
    """What no layer can read would cost and not be counted; the file may allow it."""
    step = numbers(1, parameters={"sequence_id": 7, "sequence_start": True})
    refused = ask(gateway, "POST", INFER, step, **OWNER)
    assert refused.status == 403
    assert b"the budget cannot account for this request" in refused.body
    # What is wrong computes nothing: Triton says so itself.
    assert ask(gateway, "POST", INFER, b"{", **OWNER).status == 500
    assert ask(gateway, "POST", "/v2/models/keeps/generate", b"{}", **OWNER).status == 403
    lax = POLICY.replace("[gateway]\n", "[gateway]\nunaccounted = true\n")
    with running_gateway(lax, upstream=triton.http, folder=tmp_path) as other:
        assert ask(other, "POST", INFER, step, **OWNER).status == 200


TOLD = re.compile(r'gateway_requests_total{route="(\w+)",status="(\d+)",tenant="(\w*)"')


def test_what_goes_on_as_it_came_is_within_the_tenants_limits(
    triton: Triton, tmp_path: Path
) -> None:
    """Its rows count, and it names no memory that somebody else has registered."""
    lax = POLICY.replace("[gateway]\n", "[gateway]\nunaccounted = true\n")
    lax = lax.replace(
        '"read"]\nmax_body', '"read"]\nrows_per_second = 0.001\nrows_burst = 3\nmax_body'
    )
    lax = lax.replace("admin = true", 'admin = true\nrights = ["infer", "metrics"]')
    step = numbers(1, parameters={"sequence_id": 7, "sequence_start": True})
    region = {"shared_memory_region": "of_another", "shared_memory_byte_size": 16}
    shared = [
        json.dumps({"inputs": [tensor], "outputs": outputs})
        for tensor, outputs in (
            ({"name": "x", "datatype": "FP32", "shape": [1, 4], "parameters": region}, []),
            (json.loads(numbers(1))["inputs"][0], [{"name": "y", "parameters": region}]),
        )
    ]
    shared += [each.replace("shared_m", "shared\\u005fm") for each in shared]
    with running_gateway(lax, upstream=triton.http, folder=tmp_path) as other:
        for each in shared:
            refused = ask(other, "POST", INFER, each.encode(), **SHOP)
            assert refused.status == 403
            assert b"has not the right 'admin' for shared memory" in refused.body
            # Who may register regions hears of Triton that there is none.
            assert b"of_another" in ask(other, "POST", INFER, each.encode(), **OWNER).body
        stepped = [ask(other, "POST", INFER, step, **SHOP).status for _ in range(4)]
        assert stepped == [200, 200, 200, 429]
        assert ask(other, "POST", INFER, step).status == 401
        # Nobody who is unknown has a body read.
        connection = HTTPConnection("127.0.0.1", other.port, timeout=30)
        connection.putrequest("POST", "/api/embed")
        connection.putheader("Content-Length", "1000000")
        connection.putheader("Authorization", "Bearer wrong-0123456789abcdef")
        connection.endheaders()
        assert connection.getresponse().status == 401
        connection.close()
        told = set(TOLD.findall(ask(other, "GET", "/metrics", **OWNER).body.decode()))
    assert told >= {
        ("infer", "403", "shop"),
        ("infer", "429", "shop"),
        ("infer", "401", "passer_by"),
        ("api", "401", ""),
    }


async def test_says_who_asks_to_the_server(triton: Triton) -> None:
    """Of a request that is read as of one that goes on as it came."""
    heard = b""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        host, port = triton.http_target.split(":")
        server, asking = await asyncio.open_connection(host, int(port))

        async def back() -> None:
            while data := await server.read(65536):
                writer.write(data)

        task = asyncio.ensure_future(back())
        try:
            while data := await reader.read(65536):
                heard += data
                asking.write(data)
        finally:
            task.cancel()
            asking.close()
            writer.close()

    between = await asyncio.start_server(listen, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{between.sockets[0].getsockname()[1]}"
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X_Request_ID": "r-17", "traceparent": trace, "Authorization": "Bearer mine"}
    with running_gateway(upstream=url) as gateway:
        said = await asyncio.to_thread(ask, gateway, "POST", INFER, numbers(1), **headers)
        assert said.headers["X-Request-ID"] == "r-17"
        await asyncio.to_thread(ask, gateway, "GET", "/v2/models/keeps", **headers)
        await asyncio.to_thread(gateway.stop)
    between.close()
    await between.wait_closed()
    asked = heard.decode("latin-1").split(" HTTP/1.1\r\n")[1:]
    for each in (asked[0], asked[-1]):
        assert f"traceparent: {trace}" in each
        assert "x-request-id: r-17" in each
    assert "Bearer mine" not in heard.decode("latin-1")
