"""A log of experiments on a Redis Cluster, and units that stick on one."""

from __future__ import annotations

from typing import Any

from tritonkit.client import Control, RedisLog, RedisSticky
from tritonkit.client.testing.event_logs import sample_answer, sample_exposure, sample_outcome


async def test_a_cluster_keeps_what_one_server_keeps(redis_cluster: Any) -> None:
    """All of a namespace on one node; read, steered, counted."""
    exposure, answer, outcome = sample_exposure(), sample_answer(), sample_outcome()
    async with RedisLog(redis_cluster.url, cluster=True, budget="20s", max_age="1d") as log:
        assert await log.expose(exposure)
        assert not await log.expose(sample_exposure())
        log.add([answer, outcome])
        await log.flush()
        assert [event async for event in log.events("e")] == [exposure, answer, outcome]
        await log.steer("f", Control(state="stopped"))
        assert (await log.control("f")).state == "stopped"
        assert await log.experiments() == ["e", "f"]
        assert await log.losses() == {}


async def test_units_stick_on_a_cluster(redis_cluster: Any) -> None:
    sticky = RedisSticky(redis_cluster.url, cluster=True, budget="20s")
    for unit in map(str, range(8)):
        assert await sticky.first("e", unit, "a") == "a"
        assert await sticky.first("e", unit, "b") == "a"
    await sticky.aclose()
