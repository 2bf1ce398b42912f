"""A node that is silent is told from one that a crowd has to wait for."""

from __future__ import annotations

import asyncio

from tritonkit.client.stores.redis.peer import Peer

LATE = 0.02


def peer() -> Peer:
    return Peer("redis", lambda counter, by: None)


async def test_silence_opens_the_breaker() -> None:
    silent = peer()
    for _ in range(3):
        assert silent.begin("request", LATE) is not None
    await asyncio.sleep(3 * LATE)
    assert not silent.closed


async def test_a_crowd_that_waits_for_each_other_does_not() -> None:
    """Some were answered in time after the others began, so there is somebody who answers."""
    busy = peer()
    attempts = [busy.begin("request", LATE) for _ in range(10)]
    busy.answered(attempts[0], "request")
    await asyncio.sleep(3 * LATE)
    assert busy.closed
    # What comes too late is no sign of life for those who begin now.
    later = [busy.begin("request", LATE) for _ in range(3)]
    busy.answered(attempts[1], "request")
    assert None not in later
    await asyncio.sleep(3 * LATE)
    assert not busy.closed


async def test_one_that_is_always_late_opens_it() -> None:
    slow = peer()
    for _ in range(3):
        attempt = slow.begin("request", LATE)
        await asyncio.sleep(2 * LATE)
        slow.answered(attempt, "request")
    assert not slow.closed
