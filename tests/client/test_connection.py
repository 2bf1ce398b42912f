"""One connection against servers that break in every way, on both event loops."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest

from tritonkit.client.wire.address import Address
from tritonkit.client.wire.connection import Connection
from tritonkit.errors import DeadlineExceeded, ProtocolError, ServerUnavailable

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
FaultServer = Callable[[Callable[[Reader, Writer], Awaitable[None]]], Awaitable[Address]]

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def soon() -> float:
    return monotonic() + 0.15


async def answering(reader: Reader, writer: Writer) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(OK)


async def test_exchanges_follow_one_another(fault_server: FaultServer) -> None:
    connection = await Connection.open(await fault_server(answering))
    for _ in range(3):
        reply = await connection.exchange(GET)
        assert (reply.status, bytes(reply.body)) == (200, b"ok")
        assert connection.reusable
    assert connection.exchanges == 3
    connection.close()
    assert not connection.reusable
    await connection.wait_closed()


async def test_a_second_exchange_at_once_is_refused(fault_server: FaultServer) -> None:
    connection = await Connection.open(await fault_server(answering))
    first = asyncio.ensure_future(connection.exchange(GET))
    await asyncio.sleep(0)
    with pytest.raises(ServerUnavailable, match="in use"):
        await connection.exchange(GET)
    assert (await first).status == 200
    connection.close()


async def test_nobody_listens() -> None:
    with pytest.raises(ServerUnavailable, match=r"cannot connect to http://127\.0\.0\.1:1: "):
        await Connection.open(Address("http", "127.0.0.1", 1))


async def test_the_name_is_unknown() -> None:
    with pytest.raises(ServerUnavailable, match=r"nowhere\.invalid"):
        await Connection.open(Address("http", "nowhere.invalid", 1))


async def test_a_black_hole_ends_at_the_deadline(fault_server: FaultServer) -> None:
    async def silent(reader: Reader, writer: Writer) -> None:
        await reader.read()

    connection = await Connection.open(await fault_server(silent))
    with pytest.raises(DeadlineExceeded, match="did not answer within the deadline"):
        await connection.exchange(GET, soon())
    assert not connection.reusable


async def test_a_trickle_ends_at_the_deadline(fault_server: FaultServer) -> None:
    """Bytes that keep coming do not extend the time."""

    async def trickle(reader: Reader, writer: Writer) -> None:
        for byte in OK.replace(b"2", b"2000"):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)

    connection = await Connection.open(await fault_server(trickle))
    with pytest.raises(DeadlineExceeded):
        await connection.exchange(GET, soon())
    assert not connection.reusable


async def test_a_trickle_in_time_is_an_answer(fault_server: FaultServer) -> None:
    async def trickle(reader: Reader, writer: Writer) -> None:
        for byte in OK:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    connection = await Connection.open(await fault_server(trickle))
    assert bytes((await connection.exchange(GET)).body) == b"ok"
    connection.close()


async def test_a_passed_deadline_sends_nothing(fault_server: FaultServer) -> None:
    connection = await Connection.open(await fault_server(answering))
    with pytest.raises(DeadlineExceeded, match="before the request was sent"):
        await connection.exchange(GET, monotonic() - 1)
    assert connection.reusable
    connection.close()


async def test_each_exchange_has_its_own_deadline(fault_server: FaultServer) -> None:
    """Neither an earlier nor a later one of before counts."""
    delays = iter([0, 0, 1.1, 0])

    async def delayed(reader: Reader, writer: Writer) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(next(delays))
            writer.write(OK)

    connection = await Connection.open(await fault_server(delayed))
    await connection.exchange(GET, monotonic() + 1)
    await connection.exchange(GET, monotonic() + 30)
    await connection.exchange(GET, monotonic() + 10)
    await connection.exchange(GET)
    assert connection.reusable
    connection.close()


async def test_a_shorter_deadline_after_a_longer_one(fault_server: FaultServer) -> None:
    delays = iter([0, 60])

    async def delayed(reader: Reader, writer: Writer) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(next(delays))
            writer.write(OK)

    connection = await Connection.open(await fault_server(delayed))
    await connection.exchange(GET, monotonic() + 60)
    with pytest.raises(DeadlineExceeded):
        await connection.exchange(GET, soon())


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\n", OK[:-1], b"HTTP/1.1 200 OK\r\nContent-Length: 9"]
)
async def test_a_close_before_the_whole_answer(fault_server: FaultServer, answer: bytes) -> None:
    async def closing(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    connection = await Connection.open(await fault_server(closing))
    with pytest.raises(ServerUnavailable, match="closed"):
        await connection.exchange(GET)
    assert connection.answering is bool(answer)
    assert not connection.reusable


async def test_a_reset(fault_server: FaultServer) -> None:
    async def resetting(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        # With unread bytes, or without lingering, a close is a reset.
        writer.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    connection = await Connection.open(await fault_server(resetting))
    with pytest.raises(ServerUnavailable, match=r"closed the connection|reset"):
        await connection.exchange(GET)


async def test_garbage(fault_server: FaultServer) -> None:
    async def garbage(reader: Reader, writer: Writer) -> None:
        writer.write(b"\x15\x03\x03\x00\x02\x02\x28")
        await reader.read()

    connection = await Connection.open(await fault_server(garbage))
    with pytest.raises((ProtocolError, ServerUnavailable)):
        await connection.exchange(GET)
    assert not connection.reusable


async def test_an_answer_that_ends_with_the_connection(fault_server: FaultServer) -> None:
    async def old(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nto the end")

    connection = await Connection.open(await fault_server(old))
    assert bytes((await connection.exchange(GET)).body) == b"to the end"
    assert not connection.reusable


async def test_a_goodbye_is_respected(fault_server: FaultServer) -> None:
    async def once(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await reader.read()

    connection = await Connection.open(await fault_server(once))
    assert (await connection.exchange(GET)).status == 200
    assert not connection.reusable


async def test_words_that_nobody_asked_for_close(fault_server: FaultServer) -> None:
    """Bytes on an idle connection would be taken for the next answer."""

    async def talkative(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(OK)
        await reader.read()

    connection = await Connection.open(await fault_server(talkative))
    await connection.exchange(GET)
    await asyncio.wait_for(connection.wait_closed(), 5)
    assert not connection.reusable


async def test_a_server_that_speaks_first_is_none_of_http(fault_server: FaultServer) -> None:
    """So does gRPC, whose port is the next to that of HTTP."""

    async def speaking(reader: Reader, writer: Writer) -> None:
        writer.write(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        await reader.read()

    connection = await Connection.open(await fault_server(speaking))
    await connection.wait_closed()
    with pytest.raises(ServerUnavailable, match="spoke before it was asked; is this its HTTP port"):
        await connection.exchange(GET)


async def test_a_cancelled_exchange_closes(fault_server: FaultServer) -> None:
    closed = asyncio.Event()

    async def silent(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read() == b""
        closed.set()

    connection = await Connection.open(await fault_server(silent))
    exchange = asyncio.ensure_future(connection.exchange(GET))
    await asyncio.sleep(0.05)
    exchange.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exchange
    assert not connection.reusable
    await asyncio.wait_for(closed.wait(), 5)


BIG = b"x" * 20_000_000


async def test_a_large_request_and_a_large_answer(fault_server: FaultServer) -> None:
    async def echoing(reader: Reader, writer: Writer) -> None:
        body = await reader.readexactly(len(BIG))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await reader.read()

    connection = await Connection.open(await fault_server(echoing))
    reply = await connection.exchange(BIG, monotonic() + 30)
    assert bytes(reply.body) == BIG
    assert connection.reusable
    connection.close()


async def test_an_answer_before_the_request_is_whole(fault_server: FaultServer) -> None:
    """
    Too large, says the server, and reads no further: the answer counts, and
    the connection is of no more use.
    """

    async def refusing(reader: Reader, writer: Writer) -> None:
        await reader.read(1000)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(60)

    connection = await Connection.open(await fault_server(refusing))
    assert (await connection.exchange(BIG, monotonic() + 10)).status == 413
    assert not connection.reusable


async def test_a_large_request_that_nobody_reads_ends_at_the_deadline(
    fault_server: FaultServer,
) -> None:
    async def deaf(reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(60)

    connection = await Connection.open(await fault_server(deaf))
    with pytest.raises(DeadlineExceeded):
        await connection.exchange(BIG, soon())
    assert not connection.reusable


async def test_a_server_that_stops_reading_and_closes(fault_server: FaultServer) -> None:
    async def leaving(reader: Reader, writer: Writer) -> None:
        await reader.read(1000)
        writer.transport.abort()

    connection = await Connection.open(await fault_server(leaving))
    with pytest.raises(ServerUnavailable):
        await connection.exchange(BIG, monotonic() + 10)


async def test_a_closed_connection_leaves_nothing_behind(fault_server: FaultServer) -> None:
    """Neither a timer nor a cycle with the transport keeps it alive."""
    connection = await Connection.open(await fault_server(answering))
    await connection.exchange(GET, monotonic() + 3600)
    connection.close()
    await connection.wait_closed()
    del connection
    gc.collect()
    # isinstance would ask objects of every package for their class, and torch has some that warn.
    assert not any(type(found) is Connection for found in gc.get_objects())
