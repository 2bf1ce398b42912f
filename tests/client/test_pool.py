"""The pool against servers of ours, on both event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest

from tritonkit.client.wire.address import Address
from tritonkit.client.wire.connection import Connection
from tritonkit.client.wire.pool import Pool
from tritonkit.errors import ConfigError, DeadlineExceeded, ProtocolError, ServerUnavailable

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
FaultServer = Callable[[Callable[[Reader, Writer], Awaitable[None]]], Awaitable[Address]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"


def get(name: str) -> bytes:
    return b"GET /%s HTTP/1.1\r\n\r\n" % name.encode()


class Recorder:
    """
    Answers a request with its own path, and keeps what it has seen: per
    connection the paths in their order.
    """

    def __init__(self, delay: float = 0) -> None:
        self.connections: list[list[str]] = []
        self.delay = delay
        self.order: list[str] = []

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        seen: list[str] = []
        self.connections.append(seen)
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1][1:]
            seen.append(path.decode())
            self.order.append(path.decode())
            await asyncio.sleep(self.delay)
            writer.write(OK % (len(path), path))


async def test_the_connection_used_last_is_used_next(fault_server: FaultServer) -> None:
    server = Recorder(0.02)
    pool = Pool(await fault_server(server))
    await asyncio.gather(*(pool.exchange(get(f"a{n}")) for n in range(3)))
    for n in range(4):
        await pool.exchange(get(f"b{n}"))
    await pool.aclose()
    assert sorted(len(seen) for seen in server.connections) == [1, 1, 5]


async def test_no_more_connections_than_allowed_and_everyone_gets_the_own_answer(
    fault_server: FaultServer,
) -> None:
    server = Recorder(0.001)
    pool = Pool(await fault_server(server), max_connections=4)
    names = [f"n{n}" for n in range(200)]
    replies = await asyncio.gather(*(pool.exchange(get(name)) for name in names))
    await pool.aclose()
    assert [bytes(reply.body).decode() for reply in replies] == names
    assert len(server.connections) == 4


async def test_those_who_wait_are_served_in_their_order(fault_server: FaultServer) -> None:
    server = Recorder(0.001)
    pool = Pool(await fault_server(server), max_connections=1)
    names = [f"n{n}" for n in range(30)]
    await asyncio.gather(*(pool.exchange(get(name)) for name in names))
    await pool.aclose()
    assert server.order == names


async def test_waiting_counts_against_the_deadline(fault_server: FaultServer) -> None:
    pool = Pool(await fault_server(Recorder(0.5)), max_connections=1)
    first = asyncio.ensure_future(pool.exchange(get("a")))
    await asyncio.sleep(0.05)
    with pytest.raises(DeadlineExceeded, match=r"all 1 connections .* were busy"):
        await pool.exchange(get("b"), monotonic() + 0.05)
    assert bytes((await first).body) == b"a"
    assert bytes((await pool.exchange(get("c"))).body) == b"c"
    await pool.aclose()


async def test_a_broken_exchange_gives_its_place_to_the_next(fault_server: FaultServer) -> None:
    async def closing(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")

    pool = Pool(await fault_server(closing), max_connections=2)
    outcomes = await asyncio.gather(
        *(pool.exchange(get("a")) for _ in range(20)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {ServerUnavailable}
    await pool.aclose()


async def test_cancellations_lose_no_place(fault_server: FaultServer) -> None:
    """Cancelled at any moment, while waiting, connecting or exchanging."""
    pool = Pool(await fault_server(Recorder(0.002)), max_connections=2)
    for step in range(40):
        tasks = [asyncio.ensure_future(pool.exchange(get("a"))) for _ in range(6)]
        for _ in range(step):
            await asyncio.sleep(0)
        for task in tasks[step % 2 :: 2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    replies = await asyncio.gather(*(pool.exchange(get("z"), monotonic() + 5) for _ in range(8)))
    assert {bytes(reply.body) for reply in replies} == {b"z"}
    await pool.aclose()


async def test_nobody_listens() -> None:
    pool = Pool(Address("http", "127.0.0.1", 1), max_connections=1)
    for _ in range(3):
        with pytest.raises(ServerUnavailable, match="cannot connect"):
            await pool.exchange(get("a"), monotonic() + 5)
    await pool.aclose()


class Impatient:
    """
    Closes a connection as its second request comes, as a server does that found
    it idle for too long. *answer* is what it still says.
    """

    def __init__(self, answer: bytes = b"") -> None:
        self.connections = 0
        self.requests = 0
        self.answer = answer

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        writer.write(OK % (2, b"ok"))
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        writer.write(self.answer)


async def test_a_connection_closed_while_idle_is_replaced(fault_server: FaultServer) -> None:
    server = Impatient()
    pool = Pool(await fault_server(server))
    for _ in range(4):
        assert (await pool.exchange(get("a"))).status == 200
    await pool.aclose()
    assert server.connections == 4


async def test_an_idle_connection_seen_closed_is_not_used(fault_server: FaultServer) -> None:
    async def once(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK % (2, b"ok"))

    pool = Pool(await fault_server(once))
    await pool.exchange(get("a"))
    await asyncio.sleep(0.05)
    await pool.exchange(get("b"), replay=False)
    await pool.aclose()


async def test_a_request_that_must_not_be_sent_twice_is_not(fault_server: FaultServer) -> None:
    server = Impatient()
    pool = Pool(await fault_server(server))
    await pool.exchange(get("a"), replay=False)
    with pytest.raises(ServerUnavailable):
        await pool.exchange(get("b"), replay=False)
    await pool.aclose()
    assert server.requests == 2


async def test_an_answer_that_has_begun_is_not_asked_for_again(fault_server: FaultServer) -> None:
    server = Impatient(b"HTTP/1.1 200 OK\r\n")
    pool = Pool(await fault_server(server))
    await pool.exchange(get("a"))
    with pytest.raises(ServerUnavailable):
        await pool.exchange(get("b"))
    await pool.aclose()
    assert server.requests == 2


async def test_a_fresh_connection_is_not_tried_twice(fault_server: FaultServer) -> None:
    count = 0

    async def closing(reader: Reader, writer: Writer) -> None:
        nonlocal count
        count += 1
        await reader.readuntil(b"\r\n\r\n")

    pool = Pool(await fault_server(closing))
    with pytest.raises(ServerUnavailable):
        await pool.exchange(get("a"))
    await pool.aclose()
    assert count == 1


async def test_garbage_is_not_asked_for_again(fault_server: FaultServer) -> None:
    server = Impatient(b"garbage" + b" " * 100)
    pool = Pool(await fault_server(server))
    await pool.exchange(get("a"))
    with pytest.raises(ProtocolError):
        await pool.exchange(get("b"))
    await pool.aclose()
    assert server.requests == 2


async def test_a_closed_pool_says_so(fault_server: FaultServer) -> None:
    pool = Pool(await fault_server(Recorder(0.1)), max_connections=1)
    running = asyncio.ensure_future(pool.exchange(get("a")))
    await asyncio.sleep(0.05)
    waiting = asyncio.ensure_future(pool.exchange(get("b")))
    await asyncio.sleep(0)
    await pool.aclose()
    assert bytes((await running).body) == b"a"
    for exchange in (waiting, pool.exchange(get("c"))):
        with pytest.raises(ConfigError, match="closed"):
            await exchange
    await pool.aclose()


async def test_two_loops_at_once_are_refused(fault_server: FaultServer) -> None:
    pool = Pool(await fault_server(Recorder()))
    await pool.exchange(get("a"))
    with pytest.raises(ConfigError, match="one AsyncClient per loop"):
        await asyncio.to_thread(asyncio.run, pool.exchange(get("b")))
    await pool.aclose()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_pool_needs_room(limit: int) -> None:
    with pytest.raises(ConfigError, match="max_connections"):
        Pool(Address("http", "localhost", 1), max_connections=limit)


async def test_a_connection_lost_on_its_way_to_a_waiter_is_replaced(
    fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Recorder()
    pool = Pool(await fault_server(server), max_connections=1)
    release = pool._release

    def losing(connection: Connection) -> None:
        release(connection)
        connection.close()

    monkeypatch.setattr(pool, "_release", losing)
    await asyncio.gather(*(pool.exchange(get(name), replay=False) for name in "ab"))
    await pool.aclose()
    assert server.connections == [["a"], ["b"]]
