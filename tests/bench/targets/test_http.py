from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.closed import ClosedLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.record.slices import SliceRecord
from tritonkit.bench.targets.http import HttpTarget
from tritonkit.client import Tensors
from tritonkit.errors import ConfigError
from tritonkit.server import EmbeddedServer

if TYPE_CHECKING:
    from conftest import Tunnel

X = np.arange(4, dtype=np.float32).reshape(1, 4)


def is_x(outputs: Tensors) -> str | None:
    return None if np.array_equal(outputs["y"], X) else f"got {outputs['y']}"


async def answered(target: HttpTarget, item: Item) -> SliceRecord:
    load = ClosedLoop(Requests.prepare(target, Workload(items=[item])), concurrency=2, timeout=30.0)
    async with load:
        await load.until(None, requests=6)
    return SliceRecord.joined(record for _, record in load.recorder.slices())


async def test_answers_are_the_servers(server: EmbeddedServer) -> None:
    target = HttpTarget(server.http_url, "echo", headers={"X-Team": "a"})
    item = Item(inputs={"x": X}, outputs=("y",), parameters={"p": 1}, check=is_x)
    record = await answered(target, item)
    assert (record.latency.count, record.failures) == (6, {})
    assert target.describe() == {"protocol": "http", "inputs": {"x": "FP32, binary"}}


async def test_an_item_may_name_a_model_and_a_version(server: EmbeddedServer) -> None:
    target = HttpTarget(server.http_url, "missing", "7")
    record = await answered(target, Item(inputs={"x": X}, model="echo", version="1", check=is_x))
    assert record.latency.count == 6
    record = await answered(target, Item(inputs={"x": X}))
    assert record.failures == {"ModelUnavailable": 6}


async def test_tls(server: EmbeddedServer, tunnel: Tunnel, authority_file: Path) -> None:
    async with tunnel(server.http_url.removeprefix("http://"), "http/1.1") as port:
        tls = ssl.create_default_context(cafile=str(authority_file))
        target = HttpTarget(f"https://localhost:{port}", "echo", tls=tls)
        record = await answered(target, Item(inputs={"x": X}, check=is_x))
    assert (record.latency.count, record.failures) == (6, {})


@pytest.mark.parametrize("url", ["grpc://localhost:8001", "localhost:8000"])
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        HttpTarget(url, "m")
