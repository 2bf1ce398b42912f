"""Whom a client asks what a model takes, in which order, and how long."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest

from tritonkit.client import Cascade, Deadline, Route, Stack, Tiers
from tritonkit.client.inquiry import HEAD_START, RENEW, Inquiry
from tritonkit.client.stack import Target
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    ModelUnavailable,
    ProtocolError,
    RequestError,
    ServerUnavailable,
)


class Server(FakeTransport):
    """Of models with one input, *size* values a row; `down` is what it raises, if anything."""

    def __init__(self, size: int = 1) -> None:
        super().__init__(lambda request: {}, inputs={"x": [size]}, outputs={"y": [1]})
        self.down: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.asked: list[str] = []

    async def metadata(self, model: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self.asked.append(model)
        if self.gate is not None:
            await self.gate.wait()
        if self.down is not None:
            raise self.down
        return await super().metadata(model, *args, **kwargs)


class Servers:
    """The main one and another; what they say has 1 and 2 values a row."""

    def __init__(self) -> None:
        self.main, self.other = Server(1), Server(2)
        self.now = 0.0

    def inquiry(self, *, timeout: float | None = None, alone: bool = False) -> Inquiry:
        targets = [Target(self.main, "m", timeout=timeout), Target(self.other, "n")]
        return Inquiry(lambda *_: targets[: 1 if alone else 2], clock=lambda: self.now)


def size(inquiry: Inquiry) -> int | None:
    """Of what is known of the model."""
    known = inquiry.known("m", "")
    return known.inputs["x"].shape[1] if known else None


async def read(inquiry: Inquiry, seconds: float | None = None, **options: Any) -> int:
    deadline = None if seconds is None else monotonic() + seconds
    return (await inquiry.read("m", "", deadline, **options)).inputs["x"].shape[1]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def servers() -> Servers:
    return Servers()


# Where a request may go.


def targets(stack: Stack, target: Target) -> list[tuple[Any, ...]]:
    return [tuple(one) for one in stack.targets(target)]


def test_targets_are_those_of_the_routes() -> None:
    main, other = Server(), Server()
    inner = Tiers(Route("a", model="a", timeout=2), Route("b", server=other, layers=[Deadline(3)]))
    outer = Tiers(Route("v", version="2"), Route("w", server=other, timeout=1))
    stack = Stack(Stack(main, [inner]), [Deadline(5), outer])
    assert targets(stack, Target(main, "m")) == [
        (main, "a", "2", 2.0),
        (other, "m", "2", 3.0),
        # It goes to its server, and not through the Tiers below.
        (other, "m", "", 1.0),
    ]
    assert stack.targets(Target(main, "m", timeout=0.5))[0].timeout == 0.5
    assert targets(Stack(main), Target(main, "m", "3")) == [(main, "m", "3", None)]


def test_targets_are_named_once() -> None:
    main = Server()
    tiers = Tiers(Route("a", timeout=1), Route("b"), strategy=Cascade(threshold=0.5))
    assert targets(Stack(main, [tiers]), Target(main, "m")) == [(main, "m", "", 1.0)]


# Who is asked.


async def test_the_best_is_asked_first_and_once(servers: Servers) -> None:
    inquiry = servers.inquiry()
    assert await read(inquiry) == 1 == size(inquiry)
    servers.now += RENEW
    inquiry.renew("m", "")
    await settle()
    assert (servers.main.asked, servers.other.asked) == (["m"], [])


@pytest.mark.parametrize("error", [ServerUnavailable, ModelUnavailable, ProtocolError])
async def test_the_next_is_asked_where_the_best_cannot_tell(
    servers: Servers, error: type[RequestError]
) -> None:
    servers.main.down = error("gone")
    inquiry = servers.inquiry()
    assert await read(inquiry) == 2 == size(inquiry)
    assert (servers.main.asked, servers.other.asked) == (["m"], ["n"])


async def test_the_best_is_asked_again_now_and_then_while_nobody_waits(servers: Servers) -> None:
    """What was lent holds until the best has told, and costs it a question every few seconds."""
    servers.main.down = ServerUnavailable("down")
    inquiry = servers.inquiry()
    await read(inquiry)
    for _ in range(3):
        servers.now += RENEW / 2
        for _ in range(5):
            inquiry.renew("m", "")
            await settle()
        assert size(inquiry) == 2
    assert len(servers.main.asked) == 1 + 1
    servers.main.down = None
    servers.now += RENEW
    inquiry.renew("m", "")
    await settle()
    assert size(inquiry) == 1
    servers.now += RENEW
    inquiry.renew("m", "")
    await settle()
    assert len(servers.main.asked) == 3


async def test_a_slow_best_has_a_head_start(servers: Servers) -> None:
    """Then the next is asked as well; the late answer of the best is learnt all the same."""
    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry()
    began = monotonic()
    assert await read(inquiry) == 2 == size(inquiry)
    # uvloop counts in milliseconds.
    assert monotonic() - began >= HEAD_START - 0.002
    servers.main.gate.set()
    await settle()
    assert size(inquiry) == 1
    assert servers.main.asked == ["m"]


async def test_a_deadline_leaves_time_for_the_next(servers: Servers) -> None:
    """A third of it for each of two questions and for the request, which is below HEAD_START."""
    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry()
    began = monotonic()
    assert await read(inquiry, 0.3) == 2
    assert monotonic() - began >= 0.1 - 0.002
    await inquiry.aclose()


async def test_a_timeout_of_a_route_ends_the_waiting(servers: Servers) -> None:
    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry(timeout=0.01, alone=True)
    with pytest.raises(DeadlineExceeded):
        await read(inquiry)
    # It is not asked again while it is asked.
    with pytest.raises(DeadlineExceeded):
        await read(inquiry)
    assert servers.main.asked == ["m"]
    servers.main.gate.set()
    await settle()
    assert size(inquiry) == 1


async def test_a_route_may_have_no_time(servers: Servers) -> None:
    """It is not waited for at all, and the next one is asked."""
    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry(timeout=0.0)
    assert await read(inquiry) == 2
    await inquiry.aclose()
    inquiry = servers.inquiry(timeout=0.0, alone=True)
    async with asyncio.timeout(10):
        with pytest.raises(DeadlineExceeded):
            await read(inquiry)
    await inquiry.aclose()


async def test_time_is_spared_for_a_last_resort(servers: Servers) -> None:
    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry(alone=True)
    deadline = monotonic() + 0.2
    with pytest.raises(DeadlineExceeded):
        await inquiry.read("m", "", deadline, spare=True)
    # No later than half of it; the scheduler may be late by as much again.
    assert monotonic() < deadline
    await inquiry.aclose()


async def test_who_was_silent_is_not_waited_for_again(servers: Servers) -> None:
    """As long as the question is open; its answer counts whenever it comes."""
    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry(alone=True)
    with pytest.raises(DeadlineExceeded):
        await read(inquiry, 0.02, spare=True)
    # Would hang: without a deadline there is no end to it.
    with pytest.raises(DeadlineExceeded):
        await asyncio.wait_for(read(inquiry, spare=True), 5)
    servers.main.gate.set()
    await settle()
    assert size(inquiry) == 1
    assert servers.main.asked == ["m"]

    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry()
    servers.other.down = ServerUnavailable("down")
    with pytest.raises(DeadlineExceeded):
        await read(inquiry, 0.02)
    servers.other.down = None
    assert await asyncio.wait_for(read(inquiry), 5) == 2
    await inquiry.aclose()


@pytest.mark.parametrize("down", ["main", "both"])
async def test_what_is_raised_is_what_the_best_raised(servers: Servers, down: str) -> None:
    servers.main.down = ServerUnavailable("main is down")
    servers.other.down = ModelUnavailable("no such model")
    inquiry = servers.inquiry(alone=down == "main")
    with pytest.raises(ServerUnavailable, match="main is down"):
        await read(inquiry)
    assert size(inquiry) is None


async def test_nobody_answers_in_time(servers: Servers) -> None:
    servers.main.gate = servers.other.gate = asyncio.Event()
    inquiry = servers.inquiry()
    with pytest.raises(DeadlineExceeded, match="metadata of model 'm'"):
        await read(inquiry, 0.05)
    with pytest.raises(DeadlineExceeded):
        await read(inquiry, -1)
    await inquiry.aclose()


async def test_what_the_best_said_is_not_given_up_for_another(servers: Servers) -> None:
    """A model that may have changed is asked of the best alone; or of all, where it was lent."""
    inquiry = servers.inquiry()
    await read(inquiry)
    servers.main.down = ServerUnavailable("down")
    with pytest.raises(ServerUnavailable):
        await inquiry.reread("m", "", None)
    assert (size(inquiry), servers.other.asked) == (1, [])

    inquiry = servers.inquiry()
    await read(inquiry)
    assert (await inquiry.reread("m", "", None)).inputs["x"].shape[1] == 2
    servers.main.down = None
    assert (await inquiry.reread("m", "", None)).inputs["x"].shape[1] == 1 == size(inquiry)


async def test_callers_share_a_question(servers: Servers) -> None:
    """One that is cancelled takes nobody with it."""
    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry(timeout=5, alone=True)
    calls = [asyncio.ensure_future(read(inquiry)) for _ in range(5)]
    await settle()
    calls[0].cancel()
    await settle()
    servers.main.gate.set()
    assert await asyncio.gather(*calls[1:]) == [1] * 4
    assert servers.main.asked == ["m"]


async def test_closing_ends_what_nobody_waits_for(servers: Servers) -> None:
    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry()
    before = asyncio.all_tasks()
    await read(inquiry, 0.03)
    assert asyncio.all_tasks() > before
    await inquiry.aclose()
    assert asyncio.all_tasks() == before


async def test_who_waits_is_told_of_the_closing(servers: Servers) -> None:
    """It was no deadline, and the next one is not asked any more."""
    servers.main.gate = asyncio.Event()
    inquiry = servers.inquiry()
    call = asyncio.ensure_future(read(inquiry))
    await settle()
    await inquiry.aclose()
    with pytest.raises(ConfigError, match="closed"):
        await call
    assert servers.other.asked == []
