"""HTTP on plain sockets, against a server that plays what it is told."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tritonkit.bench.targets.http import HttpTarget
from tritonkit.bench.targets.seat import Seat
from tritonkit.client.wire.http1 import Reply
from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    NotConnected,
    ProtocolError,
    ServerUnavailable,
)

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
CLOSE = b""
"""Instead of an answer."""


def answer(body: bytes, head: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, head, len(body), body)


class Server:
    """
    Plays a script of answers, one for each request, over all of its connections.

    An answer is bytes, or a list of pieces that are sent apart from each other.
    """

    def __init__(self) -> None:
        self.script: list[bytes | list[bytes]] = []
        self.connections = 0
        self.received: list[int] = []
        self.wait = asyncio.Event()
        self.wait.set()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self.wait.wait()
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.received.append(len(await reader.readexactly(length)))
                step = self.script.pop(0)
                for piece in step if isinstance(step, list) else [step]:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.002)
                if step == CLOSE or (isinstance(step, list) and step[-1] == CLOSE):
                    break
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        finally:
            writer.close()


class Sending:
    """One seat, whose answers are awaited here."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.ended: asyncio.Queue[Any] = asyncio.Queue()
        self.seat: Seat
        self.address = ""

    async def open(self, url: str) -> None:
        self.address = url.removeprefix("http://")
        make = await HttpTarget(url, "m").seats(
            lambda _, outcome: self.ended.put_nowait(outcome), self.timeout
        )
        self.seat = make()

    async def send(self, payload: bytes = REQUEST) -> Any:
        self.seat.start(payload)
        return await asyncio.wait_for(self.ended.get(), 20)


@asynccontextmanager
async def sending(
    script: Sequence[bytes | list[bytes]], *, timeout: float = 20.0
) -> AsyncIterator[tuple[Sending, Server]]:
    server = Server()
    server.script = list(script)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    sender = Sending(timeout)
    await sender.open(f"http://127.0.0.1:{port}")
    try:
        yield sender, server
    finally:
        await sender.seat.aclose()
        listening.close()
        server.wait.set()
        # Handlers end with their connections.
        await asyncio.sleep(0.01)


def body_of(outcome: Any) -> bytes:
    assert isinstance(outcome, Reply), outcome
    assert outcome.status == 200
    return bytes(outcome.body)


async def test_answers_of_one_connection_each_have_their_body() -> None:
    """Heads that are known, that differ, and bodies that look like heads."""
    bodies = [b"one", b"two", b"three", b"", b"six", b"HTTP/1.1 200 OK\r\n\r\n", b"eight"]
    async with sending([answer(body) for body in bodies]) as (sender, server):
        assert [body_of(await sender.send()) for _ in bodies] == bodies
    assert server.connections == 1


async def test_an_answer_in_pieces_is_one_answer() -> None:
    whole = answer(b"0123456789", b"A: b\r\n")
    pieces = [[whole[:cut], whole[cut:]] for cut in (1, 9, 30, len(whole) - 10, len(whole) - 1)]
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    script: list[bytes | list[bytes]] = [
        whole,
        *pieces,
        [chunked, b"5\r\n01234\r\n", b"5\r\n56789\r\n0\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\n", whole],
        whole,
    ]
    async with sending(script) as (sender, server):
        for _ in script:
            assert body_of(await sender.send()) == b"0123456789"
    assert server.connections == 1


async def test_a_long_answer_and_a_long_request_pass() -> None:
    """Neither fits a socket's buffer; the server starts to read late."""
    long = bytes(range(256)) * 20_000
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(long), long)
    async with sending([answer(long), answer(b"x")]) as (sender, server):
        server.wait.clear()
        asyncio.get_running_loop().call_later(0.05, server.wait.set)
        assert body_of(await sender.send(request)) == long
        assert body_of(await sender.send()) == b"x"
        assert server.received == [len(long), 2]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("step", "kind", "words"),
    [
        (
            answer(b'{"error":"no such thing"}', status=b"500 Oops"),
            InferenceFailed,
            "no such thing",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", ProtocolError, "not an HTTP"),
        (CLOSE, ServerUnavailable, "closed the connection before it answered"),
        ([answer(b"abc")[:-1], CLOSE], ServerUnavailable, "in the middle"),
        (answer(b"abc") + answer(b"def"), ProtocolError, "more than one"),
        (answer(b"known") + b"x", ProtocolError, "more than one"),
    ],
)
async def test_a_bad_answer_is_an_error_and_the_seat_goes_on(
    step: bytes | list[bytes], kind: type[Exception], words: str
) -> None:
    script = [answer(b"known"), step, answer(b"next")]
    async with sending(script) as (sender, _):
        assert body_of(await sender.send()) == b"known"
        outcome = await sender.send()
        assert type(outcome) is kind
        assert words in str(outcome)
        assert body_of(await sender.send()) == b"next"


@pytest.mark.parametrize(
    "step",
    [answer(b"last", b"Connection: close\r\n"), [b"HTTP/1.1 200 OK\r\n\r\n", b"last", CLOSE]],
    ids=["told", "without a length"],
)
async def test_a_connection_that_ends_with_its_answer_is_opened_again(
    step: bytes | list[bytes],
) -> None:
    async with sending([step, answer(b"next")]) as (sender, server):
        assert body_of(await sender.send()) == b"last"
        assert body_of(await sender.send()) == b"next"
    assert server.connections == 2


async def test_an_answer_that_ends_its_connection_is_not_known_by_its_head() -> None:
    """The next request starts within the end of the last, as a closed loop does it."""
    script = [answer(b"%d" % number, b"Connection: close\r\n") for number in range(6)]
    async with sending(script) as (sender, server):
        told: asyncio.Queue[Any] = asyncio.Queue()

        def ended(seat: Seat, outcome: Any) -> None:
            told.put_nowait(outcome)
            if server.script:
                seat.start(REQUEST)

        seats = await HttpTarget(f"http://{sender.address}", "m").seats(ended, 20.0)
        seat = seats()
        seat.start(REQUEST)
        assert [body_of(await told.get()) for _ in range(6)] == [b"%d" % n for n in range(6)]
        await seat.aclose()
    assert server.connections == 6


async def test_bytes_that_nobody_asked_for_end_a_connection_and_no_request() -> None:
    async with sending([answer(b"one"), answer(b"two")]) as (sender, server):
        await sender.send()
        server.writers[0].write(answer(b"", status=b"408 Request Timeout"))
        # The seat closes, and so does the server then.
        await server.writers[0].wait_closed()
        assert body_of(await sender.send()) == b"two"
    assert server.connections == 2
    assert sender.ended.empty()


async def test_seats_without_an_answer_in_parts_take_little_memory() -> None:
    """Less than a tenth of what the memory for such answers takes."""
    make = await HttpTarget("http://127.0.0.1:1", "m").seats(lambda *_: None, 20.0)
    tracemalloc.start()
    try:
        seats = [make() for _ in range(100)]
        assert tracemalloc.get_traced_memory()[0] < 100 * 6_500
    finally:
        tracemalloc.stop()
    for seat in seats:
        await seat.aclose()


async def test_silence_is_a_failure_after_the_timeout_and_the_seat_goes_on() -> None:
    async with sending([answer(b"late"), answer(b"next")], timeout=0.05) as (sender, server):
        server.wait.clear()
        loop = asyncio.get_running_loop()
        started = loop.time()
        outcome = await sender.send()
        # An event loop's clock ticks in milliseconds.
        assert loop.time() - started >= 0.048
        assert type(outcome) is DeadlineExceeded
        server.wait.set()
        server.script = [answer(b"next")] * 2
        assert body_of(await sender.send()) == b"next"


async def test_nobody_there_is_told_for_each_request(unused_tcp_port: int) -> None:
    sender = Sending(5.0)
    await sender.open(f"http://127.0.0.1:{unused_tcp_port}")
    for _ in range(2):
        outcome = await sender.send()
        assert type(outcome) is NotConnected
        assert "Connection refused" in str(outcome)
    await sender.seat.aclose()


@pytest.fixture
async def two_places(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name with two addresses, at the first of which nobody listens, as ::1 of localhost may."""

    async def found(host: str, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", (place, port))
            for place in ("127.0.0.2", "127.0.0.1")
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    return "two.invalid"


async def test_a_name_with_several_addresses_is_tried_until_one_accepts(
    unused_tcp_port: int, two_places: str
) -> None:
    server = Server()
    server.script = [answer(b"one")]
    async with await asyncio.start_server(server.serve, "127.0.0.1", unused_tcp_port):
        sender = Sending(20.0)
        await sender.open(f"http://{two_places}:{unused_tcp_port}")
        assert body_of(await sender.send()) == b"one"
        await sender.seat.aclose()


async def test_a_server_that_comes_up_later_is_found_at_whichever_address(
    unused_tcp_port: int, two_places: str
) -> None:
    """Nobody listened at any when they were tried."""
    sender = Sending(20.0)
    await sender.open(f"http://{two_places}:{unused_tcp_port}")
    for _ in range(3):
        assert type(await sender.send()) is NotConnected
    server = Server()
    server.script = [answer(b"up")] * 2
    async with await asyncio.start_server(server.serve, "127.0.0.1", unused_tcp_port):
        # One of them may still be tried where nobody listens.
        await sender.send()
        assert body_of(await sender.send()) == b"up"
        await sender.seat.aclose()


async def test_a_name_that_stands_for_nothing_is_told_at_once() -> None:
    with pytest.raises(NotConnected, match=r"nowhere\.invalid"):
        await Sending(1.0).open("http://nowhere.invalid:8000")
