"""Units keep their first arm, as long as somebody remembers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tritonkit.client import RedisSticky
from tritonkit.errors import ConfigError


async def test_the_first_arm_stays(redis_server: Any) -> None:
    """For all processes; another experiment has arms of its own."""
    one, other = (RedisSticky(redis_server.url, budget="10s") for _ in range(2))
    assert await one.first("e", "u1", "a") == "a"
    assert await other.first("e", "u1", "b") == "a"
    assert await other.first("f", "u1", "b") == "b"
    assert await one.first("e", "Zoë", "ä") == "ä"
    said = await asyncio.gather(*((one, other)[n % 2].first("e", "u2", f"{n}") for n in range(10)))
    assert len(set(said)) == 1
    for sticky in (one, other):
        await sticky.aclose()


async def test_a_redis_that_is_gone(mortal_redis: Any) -> None:
    """Nothing is known, and nobody waits for longer than the budget."""
    sticky = RedisSticky(mortal_redis.url)
    mortal_redis.kill()
    assert await asyncio.wait_for(sticky.first("e", "u1", "a"), 5) is None
    await sticky.aclose()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ttl": "1ms"}, "ttl must be 1s or more"),
        ({"budget": 0}, "budget must be more than 0"),
        ({"namespace": "{a}"}, "namespace must be letters"),
    ],
)
def test_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RedisSticky(**options)
