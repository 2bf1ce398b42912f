"""Requests that go on as they came, to one of several servers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.client.wire.http1 import Reply
from tritonkit.client.wire.passage import Passage
from tritonkit.errors import NotConnected, RequestError, ServerUnavailable


class Server(FakeTransport):
    """Says of each request what it is told to say."""

    forwards = True

    def __init__(self) -> None:
        super().__init__(lambda request: {}, inputs={}, outputs={})
        self.reply: Reply | RequestError = Reply(200, {}, memoryview(b"yes"))
        self.passed: list[Passage] = []
        self.deadlines: list[float | None] = []

    async def forward(self, passage: Passage, *, deadline: float | None = None) -> Reply:
        self.passed.append(passage)
        self.deadlines.append(deadline)
        if isinstance(self.reply, RequestError):
            raise self.reply
        return self.reply


@pytest.fixture
def pair() -> tuple[Server, Server]:
    return Server(), Server()


@pytest.fixture
async def endpoints(pair: tuple[Server, Server]) -> AsyncIterator[Endpoints]:
    endpoints = Endpoints(*pair)
    yield endpoints
    await endpoints.aclose()


def step(sequence: str = "") -> Passage:
    return Passage("POST", "/v2/models/m/infer", model="m", sequence=sequence, replay=False)


UNKNOWN = Reply(404, {}, memoryview(b'{"error":"Request for unknown model: \'m\' is not found"}'))


async def test_the_steps_of_a_sequence_go_to_one(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    for number in range(1, 20):
        before = [len(server.passed) for server in pair]
        for _ in range(3):
            await endpoints.forward(step(str(number)))
        assert sorted(len(s.passed) - n for s, n in zip(pair, before, strict=True)) == [0, 3]
    assert all(server.passed for server in pair)


@pytest.mark.parametrize("sequence", ["", "7"])
async def test_the_deadline_goes_along(
    endpoints: Endpoints, pair: tuple[Server, Server], sequence: str
) -> None:
    await endpoints.forward(step(sequence), deadline=12.5)
    assert [deadline for server in pair for deadline in server.deadlines] == [12.5]


@pytest.mark.parametrize("instead", [UNKNOWN, NotConnected("nobody there")])
async def test_another_is_asked_where_nothing_was_done(
    endpoints: Endpoints, pair: tuple[Server, Server], instead: Reply | RequestError
) -> None:
    pair[0].reply = instead
    for _ in range(10):
        assert (await endpoints.forward(step())).status == 200


async def test_what_all_refuse_is_the_answer(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    for server in pair:
        server.reply = UNKNOWN
    assert (await endpoints.forward(step())) == UNKNOWN
    assert [len(server.passed) for server in pair] == [1, 1]


async def test_a_connection_that_broke_is_not_the_refusal_of_another(
    endpoints: Endpoints, pair: tuple[Server, Server]
) -> None:
    """Whether it was computed nobody knows; that the model is unknown would be wrong."""
    pair[0].reply, pair[1].reply = UNKNOWN, ServerUnavailable("the connection broke")
    for _ in range(5):
        with pytest.raises(ServerUnavailable, match="broke"):
            await endpoints.forward(step())
