"""Breaker, Retry and Deadline in front of a real Triton that fails, is killed, and comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from tritonkit.client import AsyncClient
from tritonkit.client.layers.breaker.breaker import Breaker
from tritonkit.client.layers.deadline.deadline import Deadline
from tritonkit.client.layers.retry.retry import Retry
from tritonkit.errors import (
    CircuitOpen,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    RequestError,
)

if TYPE_CHECKING:
    from conftest import Triton

    from tritonkit.server.testing import TritonServer

X = np.arange(16, dtype=np.float32).reshape(1, 16)
NOW = np.zeros((1, 1), dtype=np.float32)

SAME = """
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        x = [pb.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        return [pb.InferenceResponse([pb.Tensor("y", each)]) for each in x]
"""

SAME_CONFIG = """
backend: "python"
input [ { name: "x", data_type: TYPE_FP32, dims: [ 1, 16 ] } ]
output [ { name: "y", data_type: TYPE_FP32, dims: [ 1, 16 ] } ]
"""


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, triton: Triton) -> str:
    address: str = getattr(triton, request.param)
    return address


def mood(error: str = "") -> dict[str, Any]:
    inputs = {"seconds": NOW}
    return {**inputs, "error": np.array([[error]], dtype=object)} if error else inputs


async def begun(folder: Path) -> None:
    async with asyncio.timeout(30):
        while not (folder / "gate.begun").exists():  # noqa: ASYNC110, written by another process
            await asyncio.sleep(0.005)


async def test_a_model_that_fails(url: str) -> None:
    """Its circuit opens, another model's does not, and the first success closes it."""
    now = 100.0
    breaker = Breaker(min_calls=3, clock=lambda: now)
    async with AsyncClient(url, [breaker]) as client:
        for _ in range(5):
            with pytest.raises(InvalidInput):
                await client.infer("moody", mood("INVALID_ARG"))
        for _ in range(3):
            with pytest.raises(InferenceFailed):
                await client.infer("moody", mood("INTERNAL"))
        with pytest.raises(CircuitOpen, match="3 of 3 calls failed"):
            await client.infer("moody", mood())
        await client.infer("same", {"x": X})
        assert breaker.states() == {"moody": "open", "same": "closed"}
        now += 1
        await client.infer("moody", mood())
        assert breaker.states() == {"moody": "closed", "same": "closed"}


async def test_attempts_that_reach_the_server(url: str) -> None:
    async def failures() -> int:
        (entry,) = await client.statistics("moody")
        return int(entry["inference_stats"]["fail"]["count"])

    async with AsyncClient(url, [Retry(3, base="1ms")]) as client:
        before = await failures()
        with pytest.raises(InferenceFailed):
            await client.infer("moody", mood("raise"))
        assert (await client.infer("moody", mood())).trace.attempts == 1
        async with asyncio.timeout(30):
            while True:
                # Triton counts a little after it answers.
                if await failures() >= before + 3:
                    break
                await asyncio.sleep(0.01)
        assert await failures() == before + 3


async def test_what_we_cancel_is_no_failure_to_us(triton: Triton, tmp_path: Path) -> None:
    """Although Triton counts it as one."""
    breaker = Breaker("0%", min_calls=0)
    gate = {"gate": np.array([[str(tmp_path / "gate")]], dtype=object)}
    async with AsyncClient(triton.grpc, [breaker]) as client:
        calls = [asyncio.ensure_future(client.infer("gated", gate)) for _ in range(8)]
        await begun(tmp_path)
        for call in calls[1:]:
            call.cancel()
        await asyncio.wait(calls[1:])
        (tmp_path / "gate").touch()
        await calls[0]
        async with asyncio.timeout(30):
            while True:
                (entry,) = await client.statistics("gated")
                if int(entry["inference_stats"].get("fail", {}).get("count", 0)):
                    break
                await asyncio.sleep(0.01)
    assert breaker.states() == {"gated": "closed"}


async def test_a_deadline_drops_what_waits_in_tritons_queue(url: str, tmp_path: Path) -> None:
    """The remaining time is Triton's too: what nobody waits for any more is never begun."""

    def gate(name: str) -> dict[str, Any]:
        return {"gate": np.array([[str(tmp_path / name)]], dtype=object)}

    async with AsyncClient(url) as free, AsyncClient(url, [Deadline("50ms")]) as hurried:
        await hurried.signature("gated")
        first = asyncio.ensure_future(free.infer("gated", gate("gate")))
        await begun(tmp_path)
        with pytest.raises(DeadlineExceeded):
            await hurried.infer("gated", gate("late"))
        # The queue's clock starts when the request reaches it, later than the client's.
        await asyncio.sleep(0.5)
        (tmp_path / "gate").touch()
        await first
        await free.infer("gated", gate("gate"))
    assert not (tmp_path / "late.begun").exists()


async def test_a_server_that_is_killed_and_comes_back(
    tmp_path: Path, triton_server: TritonServer
) -> None:
    """The circuit opens; the first call after its return waits for the probe, and is it."""
    (tmp_path / "m" / "1").mkdir(parents=True)
    (tmp_path / "m" / "config.pbtxt").write_text(SAME_CONFIG)
    (tmp_path / "m" / "1" / "model.py").write_text(SAME)
    server = triton_server(tmp_path)
    port = urlsplit(server.http_url).port or 0
    breaker = Breaker(min_calls=2, open_for="1s", max_open_for="1s")
    async with AsyncClient(server.http_url, [Retry(5), breaker]) as client:
        await client.infer("m", {"x": X})
        await asyncio.to_thread(server.stop)
        for _ in range(20):
            with pytest.raises(RequestError):
                await client.infer("m", {"x": X}, timeout="100ms")
        assert breaker.states()["m"] != "closed"
        await asyncio.to_thread(triton_server, tmp_path, http_port=port)
        answer = await client.infer("m", {"x": X}, timeout="1m")
        assert answer["y"].tolist() == X.tolist()
        assert breaker.states() == {"m": "closed"}
