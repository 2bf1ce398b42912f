"""The clock that waits are judged by goes with an idle loop, and stands with one kept busy."""

from __future__ import annotations

import asyncio
import time

from tests.client.stores.served import BEAT, Served


async def test_it_goes_with_whoever_sleeps_and_is_never_ahead() -> None:
    """A millisecond is what a loop's own timers are rounded by."""
    async with Served() as served:
        began = time.monotonic()
        for _ in range(40):
            await asyncio.sleep(BEAT)
        assert served.beats >= 20
        assert time.monotonic() - began >= served.beats * (BEAT - 0.001)


async def test_a_loop_that_is_kept_busy_is_one_beat() -> None:
    async with Served() as served:
        await asyncio.sleep(3 * BEAT)
        before = served.beats
        time.sleep(20 * BEAT)  # noqa: ASYNC251, that is the case
        for _ in range(3):
            await asyncio.sleep(0)
        assert served.beats - before <= 1
