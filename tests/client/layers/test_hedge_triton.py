"""What a real Triton does with requests whose caller gave up, and what Hedge makes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tritonkit.client import AsyncClient
from tritonkit.client.layers.hedge.hedge import Hedge

CANCELLED = 6
ON_ITS_WAY = 2
"""Requests that Triton has taken from its queue although the instance is busy."""


def passes(folder: Path, name: str) -> list[list[str]]:
    return [[str(folder / f"{name}.gate")]]


async def begun(folder: Path, name: str) -> None:
    async with asyncio.timeout(20):
        while not (folder / f"{name}.begun").exists():  # noqa: ASYNC110, the server writes it
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_whether_what_waits_is_dropped(triton: Any, tmp_path: Path, protocol: str) -> None:
    """Of six that wait behind one and are given up, gRPC leaves two at most, HTTP all."""
    async with AsyncClient(getattr(triton, protocol)) as client:
        first = asyncio.ensure_future(client.infer("gated", passes(tmp_path, "first")))
        await begun(tmp_path, "first")
        given_up = []
        for number in range(CANCELLED):
            (tmp_path / f"{number}.gate").touch()
            request = client.infer("gated", passes(tmp_path, str(number)))
            given_up.append(asyncio.ensure_future(request))
        await asyncio.sleep(0.2)
        for task in given_up:
            task.cancel()
        await asyncio.wait(given_up)
        await asyncio.sleep(0.2)
        (tmp_path / "first.gate").touch()
        await first
        (tmp_path / "last.gate").touch()
        await client.infer("gated", passes(tmp_path, "last"))
        executed = sum((tmp_path / f"{number}.begun").exists() for number in range(CANCELLED))
        assert executed <= ON_ITS_WAY if client.transport.cancels else executed == CANCELLED


@pytest.mark.parametrize(("protocol", "attempts"), [("http", 0), ("grpc", 2)])
async def test_hedges_where_triton_drops_the_loser(
    triton: Any, tmp_path: Path, protocol: str, attempts: int
) -> None:
    """A late answer of a model with a dynamic batcher is asked for twice, over gRPC only."""
    layer = Hedge(percentile=0, budget=1.0, min_samples=1)
    async with AsyncClient(getattr(triton, protocol), [layer]) as client:
        (tmp_path / "fast.gate").touch()
        for _ in range(2):
            await client.infer("gated", passes(tmp_path, "fast"))
        slow = asyncio.ensure_future(client.infer("gated", passes(tmp_path, "slow")))
        await asyncio.sleep(0.5)
        (tmp_path / "slow.gate").touch()
        assert (await slow).trace.attempts == attempts
