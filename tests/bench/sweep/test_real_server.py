"""What a real server does; the fixture `explicit` sees after each test that it is as it was."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tritonkit.bench.sweep.control import ModelControl
from tritonkit.bench.sweep.left_over import Record
from tritonkit.bench.sweep.override import Override, restore_left_over
from tritonkit.bench.sweep.placement import changed_configs
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.pool import Pool
from tritonkit.errors import ConfigError, ServerStartError


async def test_settings_run_and_the_original_runs_again(control, originals, state):
    """What is asked for is what the server has; what it refuses, it says in its own words."""
    async with Override(control) as override:
        gpu = {"echo": {**originals["echo"], "instance_group": [{"kind": "KIND_GPU", "count": 1}]}}
        with pytest.raises(ServerStartError, match="no GPUs are available"):
            await override.apply(gpu)
        with pytest.raises(ServerStartError, match="its log says why"):
            await override.apply({"echo": {**originals["echo"], "of_tomorrow": 1}})
        assert await control.config("echo") == originals["echo"]
        settings = {"max_queue_delay": "5ms", "max_batch_size": "4"}
        await override.apply(changed_configs(originals, "echo", settings))
        config = await control.config("echo")
        assert config["max_batch_size"] == 4
        assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 5000
        # The ensemble takes larger batches than its part no more, or it would be gone.
        assert (await control.config("pipeline"))["max_batch_size"] == 4
        assert await control.ready() == {"echo", "copy", "pipeline"}
        assert list(state.glob("*.json"))

    assert await control.config("echo") == originals["echo"]
    assert not list(state.glob("*.json"))


async def test_an_abandoned_load_is_undone(control, originals):
    """Restoring waits for a load that a killed process had sent, rather than be too early."""
    wanted = changed_configs(originals, "echo", {"max_queue_delay": "5ms"})
    Record(control.address).write(originals, wanted)
    other = Pool(control.address)
    load = asyncio.create_task(ModelControl(other).load("echo", wanted["echo"]))
    await asyncio.sleep(0.1)
    load.cancel()
    with suppress(asyncio.CancelledError):
        await load
    await other.aclose()
    assert await control.config("echo") == originals["echo"]

    assert "killed" in (await restore_left_over(control) or "")
    # By then a load that was behind would have come through.
    await control.load("echo", originals["echo"])
    assert await control.config("echo") == originals["echo"]


async def test_says_how_a_server_must_be_started(server, state):
    """One that loads everything at the start loads nothing anew; nothing is left over."""
    pool = Pool(Address.parse(server.http_url))
    control = ModelControl(pool)
    original = {"echo": await control.config("echo")}
    with pytest.raises(ConfigError, match="--model-control-mode explicit"):
        async with Override(control) as override:
            await override.apply(changed_configs(original, "echo", {"max_queue_delay": "5ms"}))
    assert not list(state.glob("*.json"))
    await pool.aclose()
