"""Connections: what is read, in which order it is answered, and how long is waited."""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tritonkit.gateway.http.asgi import run_asgi
from tritonkit.gateway.http.bounds import Bounds
from tritonkit.gateway.http.connection import Connection
from tritonkit.gateway.http.message import Answer, Head, Request, refuse
from tritonkit.gateway.http.server import Server
from tritonkit.gateway.http.shop import Outcome
from tritonkit.gateway.workers.listener import listen

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


class App:
    """Answers with the target and the body; waits, fails or streams where the target says so."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.cancelled = 0
        self.begun = 0

    def admit(self, head: Head) -> int | Answer:
        if head.target == b"/refused":
            return refuse(401, "no")
        return 100_000

    def answer(self, request: Request, connection: Connection) -> Outcome:
        self.begun += 1
        target = request.head.target
        if target == b"/wait":
            return self._wait()
        if target == b"/fail":
            raise ValueError("as it was told")
        if target == b"/fail-later":
            return self._fail()
        if target.startswith(b"/asgi"):
            return run_asgi(self._asgi, request, connection)
        if target.startswith(b"/16k"):
            return Answer(200, b"z" * 16_384)
        if target == b"/large":
            return Answer(200, b"z" * 8_000_000)
        return Answer(200, target + b"|" + request.body)

    async def _wait(self) -> Answer:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Answer(200, b"waited")

    async def _fail(self) -> Answer:
        raise ValueError("as it was told")

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["more_body"] is False
        headers = [(b"Content-Type", b"text/plain")]
        if scope["path"] == "/asgi/known":
            headers.append((b"content-length", b"6"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in (b"abc", b"def"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if scope["query_string"] == b"fail":
            raise ValueError("as it was told")
        if scope["path"] == "/asgi/endless":
            assert (await receive())["type"] == "http.disconnect"
            return
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def serving(**bounds: Any) -> AsyncIterator[tuple[Server, App, Callable[..., Any]]]:
    app = App()
    server = Server(listen("127.0.0.1", 0), app, Bounds(**bounds))
    port = server._listener.getsockname()[1]
    server.start()
    writers = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    try:
        yield server, app, connect
    finally:
        for writer in writers:
            writer.close()
        await server.close()
        for writer in writers:
            try:
                await writer.wait_closed()
            except ConnectionError:
                continue


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """One answer with a Content-Length."""
    text = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode()
    status, *lines = text.strip().split("\r\n")
    headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(status.split()[1]), headers, body


async def said(data: bytes, **bounds: Any) -> bytes:
    """All that the server says to some bytes, until it closes."""
    async with serving(**bounds) as (_, _, connect):
        reader, writer = await connect()
        writer.write(data)
        return bytes(await asyncio.wait_for(reader.read(), 20))


async def test_answers_in_order_what_came_at_once() -> None:
    async with serving() as (_, app, connect):
        reader, writer = await connect()
        writer.write(GET % b"wait" + GET % b"1" + GET % b"2")
        post = b"POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
        writer.write(post + GET % b"asgi/known")
        await asyncio.sleep(0.05)
        assert app.begun == 1
        app.gate.set()
        bodies = [(await answer_of(reader))[2] for _ in range(5)]
    assert bodies == [b"waited", b"/1|", b"/2|", b"/3|hi", b"abcdef"]


async def test_requests_that_wait_are_parsed_when_it_is_their_turn() -> None:
    """Each of 26 bytes would take some hundred as a request."""
    short = b"GET /%d HTTP/1.1\r\nHost:\r\n\r\n"
    async with serving() as (server, app, connect):
        reader, writer = await connect()
        writer.write(GET % b"wait" + b"".join(short % n for n in range(2000)))
        await until(lambda: app.begun == 1)
        await asyncio.sleep(0.05)
        (connection,) = server.connections
        assert len(connection._reading.queue) < 200
        app.gate.set()
        assert (await answer_of(reader))[2] == b"waited"
        for n in range(2000):
            assert (await answer_of(reader))[2] == b"/%d|" % n


async def test_others_have_their_turn_among_many_requests() -> None:
    async with serving() as (_, app, connect):
        reader, writer = await connect()
        other, others = await connect()
        writer.write(GET % b"wait" + GET % b"1" * 3000)
        others.write(GET % b"wait")
        await until(lambda: app.begun == 2)
        app.gate.set()
        assert (await answer_of(other))[2] == b"waited"
        assert app.begun < 1000
        for _ in range(3001):
            await answer_of(reader)


async def test_who_could_not_send_was_not_slow() -> None:
    """While requests wait nothing is read, and the time of what follows does not pass."""
    async with serving() as (server, app, connect):
        reader, writer = await connect()
        post = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nhi"
        writer.write(GET % b"wait" + GET % b"wait" + post)
        await until(lambda: app.begun == 1)
        await asyncio.sleep(0.02)
        moment = asyncio.get_running_loop().time()
        app.gate.set()
        for _ in range(2):
            assert (await answer_of(reader))[2] == b"waited"
        (connection,) = server.connections
        await until(lambda: connection.due < float("inf"))
        assert connection.due >= moment + server.bounds.body_timeout
        writer.write(b"ho")
        assert (await answer_of(reader))[2] == b"/a|hiho"


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_reads_a_body_in_any_pieces(size: int) -> None:
    request = (
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n" + GET % b"b"
    )
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        for start in range(0, len(request), size):
            writer.write(request[start : start + size])
            await asyncio.sleep(0)
        assert (await answer_of(reader))[2] == b"/a|abcde"
        assert (await answer_of(reader))[2] == b"/b|"


async def test_says_that_a_body_may_come_or_why_not() -> None:
    head = b"POST /%s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        writer.write(head % b"a")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        assert (await answer_of(reader))[2] == b"/a|hi"
        writer.write(head % b"refused")
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (401, "close")


async def test_a_connection_outlives_a_refusal_with_a_small_body() -> None:
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        writer.write(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        assert (await answer_of(reader))[0] == 401
        writer.write(b"cde" + GET % b"b")
        assert (await answer_of(reader))[2] == b"/b|"


async def test_a_refusal_is_the_last_answer_where_the_client_says_so() -> None:
    """Though the body has yet to come."""
    head = b"POST /refused HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        writer.write(head)
        status, headers, _ = await answer_of(reader)
        assert (status, headers["connection"]) == (401, "close")
        writer.write(b"abcde")
        assert await asyncio.wait_for(reader.read(), 20) == b""


async def test_head_has_a_length_and_no_body() -> None:
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        writer.write(b"HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n" + GET % b"b")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 5\r\n" in head
        assert (await answer_of(reader))[2] == b"/b|"


async def test_speaks_http_1_0() -> None:
    closing = await said(b"GET /a HTTP/1.0\r\n\r\n")
    assert closing.endswith(b"Connection: close\r\n\r\n/a|")
    endless = await said(b"GET /asgi HTTP/1.0\r\n\r\n")
    assert endless.endswith(b"Connection: close\r\n\r\nabcdef")
    # Nothing can follow it on the connection, though it was asked for.
    alive = b"GET /asgi HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    endless = await said(alive + GET % b"b")
    assert endless.endswith(b"Connection: close\r\n\r\nabcdef")
    # It knows of no interim answers.
    expects = b"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"
    assert (await said(expects)).startswith(b"HTTP/1.1 200 ")
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        writer.write(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert (await answer_of(reader))[1]["connection"] == "keep-alive"


async def test_passes_over_an_upgrade() -> None:
    """As Java's client offers with its first request."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        writer.write(
            b"POST /a HTTP/1.1\r\nHost: x\r\n%sContent-Length: 2\r\n\r\nhi" % upgrade
            + b"GET /b HTTP/1.1\r\nHost: x\r\n%s\r\n" % upgrade
            + GET % b"c"
        )
        assert [(await answer_of(reader))[2] for _ in range(3)] == [b"/a|hi", b"/b|", b"/c|"]


async def test_takes_as_many_headers_as_anybody_sends() -> None:
    told = await said(b"GET /a HTTP/1.0\r\n" + b"a:\r\n" * 256 + b"\r\n")
    assert told.startswith(b"HTTP/1.1 200 ")


async def test_blanks_around_a_value_are_none_of_it() -> None:
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        blanks = b"Host: x\r\nX-Request-ID:  r 17 \t\r\nContent-Length: 2 \r\n\r\nhi"
        writer.write(b"POST /a HTTP/1.1\r\n" + blanks + GET % b"b")
        _, headers, body = await answer_of(reader)
        assert (headers["x-request-id"], body) == ("r 17", b"/a|hi")
        assert (await answer_of(reader))[2] == b"/b|"


async def test_says_the_requests_id_again() -> None:
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        writer.write(b"GET /a HTTP/1.1\r\nHost: x\r\nX-Request-ID: r-17\r\n\r\n")
        assert (await answer_of(reader))[1]["x-request-id"] == "r-17"


async def test_streams_in_chunks() -> None:
    async with serving() as (_, _, connect):
        reader, writer = await connect()
        writer.write(GET % b"asgi" + GET % b"b")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked\r\n" in head
        assert await reader.readuntil(b"0\r\n\r\n") == b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
        assert (await answer_of(reader))[2] == b"/b|"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /a HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET /a HTTP/1.1\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /a HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 256 + b"\r\n", 431),
        (
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"15f90\r\n%s\r\n0\r\nA: %s" % (b"a" * 90_000, b"t" * 300_000),
            400,
        ),
        (b"GET /" + b"a" * 400_000, 431),
        (b"GET /a HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 400_000, 431),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", 413),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n", 400),
        (
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        *(
            (b"POST /a HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Length: 2\r\n\r\n{}" % told, 400)
            for told in (
                b"Inference-Header-Content-Length: +2",
                b"Inference-Header-Content-Length: 2x",
                b"Inference-Header-Content-Length:",
                b"Inference-Header-Content-Length: 2\r\nInference-Header-Content-Length: 2",
            )
        ),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"186a1\r\n%s\r\n" % (b"a" * 100_001),
            413,
        ),
        (
            b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"1;%s\r\na\r\n" % (b"e" * 200_000),
            400,
        ),
    ],
)
async def test_refuses_what_is_no_request(request_: bytes, status: int) -> None:
    """With one clean answer; nothing behind it is read as a request."""
    told = await said(request_ + GET % b"smuggled")
    assert told.startswith(b"HTTP/1.1 %d " % status), told[:100]
    assert len(re.findall(rb"HTTP/1\.1 \d{3} ", told)) == 1
    assert b'{"error":"' in told
    assert b"Connection: close" in told
    assert b"smuggled" not in told


async def test_does_not_wait_for_ever() -> None:
    """Silence ends the connection; half a request is told so first."""
    quick: Any = {"header_timeout": "100ms", "body_timeout": "100ms", "keep_alive": "100ms"}
    assert await said(b"", **quick) == b""
    assert (await said(b"GET /a HT", **quick)).startswith(b"HTTP/1.1 408 ")
    half = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"
    assert (await said(half, **quick)).startswith(b"HTTP/1.1 408 ")
    once = await said(GET % b"a", **quick)
    assert once.count(b"HTTP/1.1 ") == 1


async def test_a_body_that_comes_at_its_rate_has_all_the_time() -> None:
    async with serving(body_timeout="50ms", min_rate="1kB") as (_, _, connect):
        reader, writer = await connect()
        writer.write(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n")
        for _ in range(20):
            writer.write(b"b" * 1000)
            await asyncio.sleep(0.02)
        assert (await answer_of(reader))[0] == 200


async def test_who_reads_nothing_is_sent_away() -> None:
    async with serving(write_timeout="100ms") as (server, _, connect):
        _, writer = await connect()
        writer.transport.pause_reading()
        writer.write(GET % b"large" + GET % b"large")
        await until(lambda: bool(server.connections))
        await until(lambda: not server.connections)


async def test_who_reads_slowly_is_told_all() -> None:
    async with serving() as (server, _, connect):
        reader, writer = await connect()
        connection = await one_of(server)
        for transport in (writer, connection._transport):
            shrink(transport)
        writer.write(GET % b"large")
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(3):
            await asyncio.wait_for(reader.readexactly(2_000_000), 20)
            await until(lambda: connection._stalled)
            connection.expire(connection.due)
        await asyncio.wait_for(reader.readexactly(2_000_000), 20)


@pytest.mark.parametrize("close", [False, True])
async def test_what_is_on_its_way_when_the_connection_ends(close: bool) -> None:
    """Comes to who reads it; who does not is sent away in the end."""
    async with serving() as (server, _, connect):
        reader, writer = await connect()
        writer.transport.pause_reading()
        connection = await one_of(server)
        shrink(connection._transport)
        asked = 0

        async def ask(request: bytes) -> None:
            nonlocal asked
            asked += 1
            writer.write(request)
            await until(lambda: server.sent == asked * 16_384)

        # More than the kernel takes, and less than what lets the server wait.
        while not connection._transport.get_write_buffer_size():
            await ask(GET % b"16k")
        now = asyncio.get_running_loop().time()
        if close:
            await ask(b"GET /16k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        else:
            connection.expire(now + server.bounds.keep_alive)
        connection.expire(now + 5)
        await asyncio.sleep(0.01)
        assert not connection.gone
        if close:
            writer.transport.resume_reading()
            for _ in range(asked):
                await answer_of(reader)
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
        else:
            connection.expire(now + 1000)
        await until(lambda: not server.connections)


async def test_who_leaves_takes_its_request_along() -> None:
    async with serving() as (server, app, connect):
        _, writer = await connect()
        writer.write(GET % b"wait")
        await until(lambda: app.begun == 1)
        writer.close()
        await until(lambda: app.cancelled == 1)
        await until(lambda: not server.tasks and not server.connections)


async def test_tells_who_is_one_too_many() -> None:
    async with serving(max_connections=1) as (_, _, connect):
        reader, writer = await connect()
        writer.write(GET % b"a")
        assert (await answer_of(reader))[0] == 200
        other, _ = await connect()
        status, headers, _ = await answer_of(other)
        assert (status, headers["connection"]) == (503, "close")
        writer.write(GET % b"b")
        assert (await answer_of(reader))[2] == b"/b|"


async def test_files_that_are_used_up_are_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        def accept(self) -> Any:
            raise OSError(errno.EMFILE, "as it was told")

        def fileno(self) -> int:
            return listener.fileno()

    async with serving() as (server, _, connect):
        listener = server._listener
        with monkeypatch.context() as patch:
            patch.setattr(server, "_listener", Full())
            for _ in range(3):
                server._accept()
        assert len(caplog.records) == 1
        reader, writer = await connect()
        writer.write(GET % b"a")
        assert (await answer_of(reader))[0] == 200


async def test_a_failure_is_its_own_answer(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        for target in (b"fail", b"fail-later"):
            told = await said(GET % target)
            assert told.startswith(b"HTTP/1.1 500 ")
            assert b"as it was told" not in told


@pytest.mark.parametrize("target", [b"asgi/known?fail", b"asgi?fail"])
async def test_a_failure_amid_an_answer_ends_it(target: bytes, caplog: Any) -> None:
    """Nothing else stands in its place, and nothing follows as if it were whole."""
    with caplog.at_level(logging.CRITICAL):
        async with serving() as (_, _, connect):
            reader, writer = await connect()
            writer.write(GET % target + GET % b"b")
            said = b""
            with suppress(ConnectionError):
                while data := await asyncio.wait_for(reader.read(65536), 20):
                    said += data
    assert said.count(b"HTTP/1.1 ") <= 1
    assert b"/b|" not in said
    assert not said.endswith(b"0\r\n\r\n")


async def test_drains() -> None:
    """What came is answered, streams end, idle connections close, new ones are not taken."""
    async with serving() as (server, app, connect):
        waiting, writer = await connect()
        writer.write(GET % b"wait")
        endless, writer = await connect()
        writer.write(GET % b"asgi/endless")
        await endless.readuntil(b"def\r\n")
        idle, writer = await connect()
        writer.write(GET % b"a")
        await answer_of(idle)
        fresh, _ = await connect()
        await until(lambda: len(server.connections) == 4)
        draining = asyncio.ensure_future(server.drain(20))
        assert await asyncio.wait_for(idle.read(), 20) == b""
        assert await asyncio.wait_for(fresh.read(), 20) == b""
        assert await asyncio.wait_for(endless.read(), 20) == b"0\r\n\r\n"
        with pytest.raises(OSError, match="Connect call failed"):
            await connect()
        app.gate.set()
        status, headers, _ = await answer_of(waiting)
        assert (status, headers["connection"]) == (200, "close")
        assert await draining is True


async def test_a_drain_cuts_off_what_takes_too_long() -> None:
    async with serving() as (server, app, connect):
        reader, writer = await connect()
        writer.write(GET % b"wait")
        await until(lambda: app.begun == 1)
        assert await server.drain(0.05) is False
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await answer_of(reader)
        assert app.cancelled == 1


async def test_an_answer_that_nobody_reads_is_cut_off_by_a_drain() -> None:
    async with serving() as (server, _, connect):
        _, writer = await connect()
        writer.transport.pause_reading()
        shrink((await one_of(server))._transport)
        writer.write(GET % b"large")
        await until(lambda: server.sent == 8_000_000)
        assert await server.drain(0.05) is False


async def one_of(server: Server) -> Any:
    await until(lambda: len(server.connections) == 1)
    return next(iter(server.connections))


def shrink(transport: Any) -> None:
    """Let the kernel keep little of what is on its way."""
    kernel = transport.get_extra_info("socket")
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        kernel.setsockopt(socket.SOL_SOCKET, buffer, 65_536)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110, of another process's socket there is no event
            await asyncio.sleep(0.005)
