"""Calls over HTTP/2: to gRPC's own server, and to one of ours that misbehaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent import futures
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st

from tritonkit.bench.http2.connection import Http2Connection
from tritonkit.bench.http2.frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    PREFACE,
    Frame,
    FrameReader,
    Kind,
    Setting,
    frame,
    settings,
)
from tritonkit.bench.http2.headers import HeaderBlocks
from tritonkit.bench.http2.stream import REFUSED, message
from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.targets.grpc import GrpcTarget
from tritonkit.client.wire.address import Address
from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    NotConnected,
    ProtocolError,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)

FIELDS = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/test/Call"),
    (b":authority", b"localhost"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"x-user", b"u1"),
]
OK = HeaderBlocks([(b":status", b"200"), (b"content-type", b"application/grpc")]).plain
DONE = HeaderBlocks([(b"grpc-status", b"0")]).plain


async def ask(
    connection: Http2Connection, data: bytes = b"", model: str = "m", timeout: float = 10
) -> bytes:
    """The message of the answer."""
    waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def done(outcome: Any) -> None:
        if isinstance(outcome, Exception):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)

    connection.call(message(data), model, monotonic() + timeout, done)
    return await waiter


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[Http2Connection]:
    connection = await Http2Connection.open(address, HeaderBlocks(FIELDS), monotonic() + 10)
    yield connection
    connection.close()


# gRPC's own server.

CANCELLED = threading.Event()


def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
    """What was sent, turned round; or what it says."""
    assert dict(context.invocation_metadata())["x-user"] == "u1"
    verb, _, rest = data.partition(b" ")
    if verb == b"fail":
        code, _, text = rest.decode().partition(" ")
        context.abort(getattr(grpc.StatusCode, code), text)
    if verb == b"wait":
        CANCELLED.clear()
        context.add_callback(CANCELLED.set)
        CANCELLED.wait(10)
    return data[::-1]


class Handler(grpc.GenericRpcHandler):
    def service(self, details: Any) -> Any:
        return (
            grpc.unary_unary_rpc_method_handler(answer) if details.method == "/test/Call" else None
        )


@pytest.fixture(scope="module")
def server() -> Any:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Handler()], options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield Address("grpc", "127.0.0.1", port)
    server.stop(None).wait()


async def test_many_calls_of_all_sizes_share_a_connection(server: Address) -> None:
    """Messages beyond every default window, among small ones, answered in whatever order."""
    sizes = [0, 1, 2**14 - 5, 2**14, 65_530, 65_531, 3_000_000, 10, 2_000_000, *range(40)]
    sent = [bytes([number]) * size for number, size in enumerate(sizes)]
    async with connected(server) as connection:
        for _ in range(2):
            answers = await asyncio.gather(*(ask(connection, data) for data in sent))
            assert [len(one) for one in answers] == sizes
            assert answers == sent


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("INVALID_ARGUMENT", "unexpected shape", InvalidInput),
        ("NOT_FOUND", "Request for unknown model: 'm' is not found", ModelUnavailable),
        ("UNAVAILABLE", "Exceeds maximum queue size", ServerOverloaded),
        ("UNAVAILABLE", "gone", ServerUnavailable),
        ("INTERNAL", "it broke: 100 % of it, \u00fc", InferenceFailed),
        ("DEADLINE_EXCEEDED", "too late", DeadlineExceeded),
        ("UNAUTHENTICATED", "who are you", InvalidInput),
    ],
)
async def test_a_status_is_the_error_that_the_client_raises(
    server: Address, code: str, text: str, kind: type[RequestError]
) -> None:
    async with connected(server) as connection:
        with pytest.raises(kind) as caught:
            await ask(connection, f"fail {code} {text}".encode())
        assert type(caught.value) is kind
        assert text in str(caught.value)
        assert caught.value.model == "m"
        assert await ask(connection, b"abc") == b"cba"


async def test_a_deadline_ends_its_call_alone_and_tells_the_server(server: Address) -> None:
    async with connected(server) as connection:
        late = asyncio.ensure_future(ask(connection, b"wait", timeout=0.2))
        assert await ask(connection, b"abc") == b"cba"
        with pytest.raises(DeadlineExceeded):
            await late
        assert await asyncio.to_thread(CANCELLED.wait, 5)
        assert await ask(connection, b"abc") == b"cba"


# A server of ours.

Serve = Callable[[Frame], list[bytes]]


def reply(number: int, data: bytes = b"", trailers: bytes = DONE) -> list[bytes]:
    return [
        frame(Kind.HEADERS, END_HEADERS, number, OK),
        frame(Kind.DATA, 0, number, message(data)),
        frame(Kind.HEADERS, END_HEADERS | END_STREAM, number, trailers),
    ]


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Address]]]:
    """Starts a server that says *first* and answers each frame with what a function says."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def begin(serve: Serve, first: bytes = settings({})) -> Address:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await reader.readexactly(len(PREFACE))
            writer.write(first)
            frames = FrameReader(2**20)
            while data := await reader.read(65536):
                for one in frames.feed(data):
                    for part in serve(one):
                        if not part:
                            writer.transport.abort()
                            return
                        writer.write(part)

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        servers.append(server)
        return Address("grpc", *server.sockets[0].getsockname())

    yield begin
    for writer in writers:
        writer.transport.abort()
    for server in servers:
        server.close()
        await server.wait_closed()


def ends(one: Frame) -> bool:
    return one.kind == Kind.DATA and bool(one.flags & END_STREAM)


async def test_what_is_no_http2(start: Any) -> None:
    address = await start(lambda _: [], b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ProtocolError, match="127\\.0\\.0\\.1"):
        await Http2Connection.open(address, HeaderBlocks(FIELDS), monotonic() + 5)


async def test_nobody_there() -> None:
    with pytest.raises(NotConnected, match="cannot connect"):
        await Http2Connection.open(
            Address("grpc", "127.0.0.1", 1), HeaderBlocks(FIELDS), monotonic() + 5
        )


async def test_a_server_that_says_nothing(start: Any) -> None:
    address = await start(lambda _: [], b"")
    with pytest.raises(DeadlineExceeded):
        await Http2Connection.open(address, HeaderBlocks(FIELDS), monotonic() + 0.2)


@pytest.mark.parametrize(
    ("answered", "kind", "text"),
    [
        ([b""], ServerUnavailable, "closed the connection"),
        ([frame(Kind.RST_STREAM, 0, 1, (7).to_bytes(4, "big"))], ServerUnavailable, "reset"),
        ([frame(Kind.RST_STREAM, 0, 1, (2).to_bytes(4, "big"))], InferenceFailed, "reset"),
        ([frame(Kind.GOAWAY, 0, 0, bytes(8))], ServerUnavailable, "closing"),
        ([*reply(1)[:2], frame(Kind.HEADERS, 5, 1, OK)], ProtocolError, "without a gRPC status"),
        (
            [frame(Kind.HEADERS, 5, 1, HeaderBlocks([(b":status", b"404")]).plain)],
            ProtocolError,
            "404",
        ),
        ([reply(1)[0], reply(1)[2]], ProtocolError, "not one gRPC message"),
        (
            [reply(1)[0], frame(Kind.DATA, 0, 1, b"\1\0\0\0\0"), reply(1)[2]],
            ProtocolError,
            "compressed",
        ),
        ([frame(Kind.HEADERS, 0, 1, OK), frame(Kind.PING, 0, 0, bytes(8))], ProtocolError, "break"),
        ([frame(Kind.PUSH_PROMISE, 0, 1, bytes(4))], ProtocolError, "push"),
        ([frame(Kind.DATA, 0, 1, bytes(2**20 + 1))], ProtocolError, "frame of"),
    ],
)
async def test_answers_that_are_none(
    start: Any, answered: list[bytes], kind: type[RequestError], text: str
) -> None:
    address = await start(lambda one: answered if ends(one) else [])
    async with connected(address) as connection:
        with pytest.raises(kind, match=text) as caught:
            await ask(connection, b"abc")
        assert type(caught.value) is kind


async def test_header_fields_in_pieces_and_data_padded(start: Any) -> None:
    pieces = [
        frame(Kind.HEADERS, 0, 1, OK[:3]),
        frame(Kind.CONTINUATION, 0, 1, OK[3:4]),
        frame(Kind.CONTINUATION, END_HEADERS, 1, OK[4:]),
        frame(Kind.DATA, 0x8, 1, b"\x03" + message(b"yes") + bytes(3)),
        frame(77, 0, 1, b"of a later version"),  # type: ignore[arg-type]
        frame(Kind.HEADERS, END_STREAM, 1, DONE[:2]),
        frame(Kind.CONTINUATION, END_HEADERS, 1, DONE[2:]),
    ]
    address = await start(lambda one: pieces if ends(one) else [])
    async with connected(address) as connection:
        assert await ask(connection) == b"yes"


async def test_a_server_that_takes_one_call_at_a_time_and_keeps_no_table(start: Any) -> None:
    """Calls wait for their turn, one whose deadline passes meanwhile among them."""
    seen: list[Frame] = []
    release: list[bytes] = []

    def serve(one: Frame) -> list[bytes]:
        seen.append(one)
        if not ends(one):
            return []
        if one.stream == 3 and not release:
            # Held until a ping is asked for.
            release.append(b"")
            return []
        return reply(one.stream, b"%d" % one.stream)

    first = settings({Setting.MAX_CONCURRENT_STREAMS: 1, Setting.HEADER_TABLE_SIZE: 0})
    address = await start(serve, first)
    async with connected(address) as connection:
        assert await ask(connection) == b"1"
        held = asyncio.ensure_future(ask(connection, timeout=0.4))
        waiting = asyncio.ensure_future(ask(connection, timeout=0.2))
        third = asyncio.ensure_future(ask(connection))
        for late in (waiting, held):
            with pytest.raises(DeadlineExceeded):
                await late
        assert await third == b"5"
    blocks = [one.payload for one in seen if one.kind == Kind.HEADERS]
    plain = HeaderBlocks(FIELDS)
    assert blocks == [plain.shrunk, plain.plain, plain.plain]
    assert [one.stream for one in seen if one.kind == Kind.RST_STREAM] == [3]
    assert any(one.kind == Kind.SETTINGS and one.flags & ACK for one in seen)


async def test_a_server_that_leaves_finishes_what_it_took(start: Any) -> None:
    def serve(one: Frame) -> list[bytes]:
        if not ends(one):
            return []
        goaway = frame(Kind.GOAWAY, 0, 0, one.stream.to_bytes(4, "big") + bytes(4))
        return [goaway, *reply(one.stream, b"last")]

    address = await start(serve)
    async with connected(address) as connection:
        assert await ask(connection) == b"last"
        assert not connection.reusable
        with pytest.raises(ServerUnavailable):
            await ask(connection)


async def test_a_refusal_before_all_was_sent(start: Any) -> None:
    """The rest is not sent, and the server is told; what was sent counts until it is taken."""
    refused = HeaderBlocks([(b"grpc-status", b"8"), (b"grpc-message", b"larger than max")]).plain
    seen: list[Frame] = []

    def serve(one: Frame) -> list[bytes]:
        seen.append(one)
        if one.kind == Kind.HEADERS and one.stream == 1:
            return [frame(Kind.HEADERS, END_HEADERS | END_STREAM, 1, refused)]
        if one.kind == Kind.RST_STREAM:
            return [frame(Kind.WINDOW_UPDATE, 0, 0, (65_535).to_bytes(4, "big"))]
        return reply(one.stream, b"next") if ends(one) else []

    address = await start(serve)
    async with connected(address) as connection:
        with pytest.raises(InvalidInput, match="larger than max"):
            await ask(connection, bytes(100_000))
        assert await ask(connection, b"small") == b"next"
    assert sum(one.size for one in seen if one.kind == Kind.DATA and one.stream == 1) == 65_535


@pytest.mark.parametrize(("refusals", "sent"), [(1, 2), (2, 2)])
async def test_a_call_that_is_refused_unseen_is_sent_once_more(
    start: Any, refusals: int, sent: int
) -> None:
    """A second refusal is told, as every client of gRPC tells it."""
    seen: list[int] = []

    def serve(one: Frame) -> list[bytes]:
        if not ends(one):
            return []
        seen.append(one.stream)
        if len(seen) <= refusals:
            return [frame(Kind.RST_STREAM, 0, one.stream, REFUSED.to_bytes(4, "big"))]
        return reply(one.stream, b"")

    target = GrpcTarget(str(await start(serve)), "m")
    told: asyncio.Queue[Any] = asyncio.Queue()
    seat = (await target.seats(lambda _, outcome: told.put_nowait(outcome), 10.0))()
    seat.start(target.prepare(Item(inputs={"x": np.zeros(1, np.float32)})))
    outcome = await told.get()
    assert isinstance(outcome, ServerUnavailable) == (refusals == 2)
    assert len(seen) == sent
    await seat.aclose()
    await target.aclose()


class Written(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.writes = 0

    def write(self, data: Any) -> None:
        self.data += data
        self.writes += 1

    def frames(self, kind: Kind) -> list[Frame]:
        frames = FrameReader(2**20).feed(self.data.removeprefix(PREFACE))
        return [one for one in frames if one.kind == kind]

    def abort(self) -> None:
        pass


async def offline(first: bytes) -> tuple[Http2Connection, Written]:
    """A connection whose server is what a test feeds it."""
    connection, transport = (
        Http2Connection(Address("grpc", "h", 1), HeaderBlocks(FIELDS)),
        Written(),
    )
    connection.connection_made(transport)
    connection.data_received(first)
    return connection, transport


async def test_calls_that_wait_begin_when_the_server_allows_more() -> None:
    connection, transport = await offline(settings({Setting.MAX_CONCURRENT_STREAMS: 0}))
    for _ in range(3):
        connection.call(message(b"x"), "m", monotonic() + 60, lambda _: None)
    assert transport.frames(Kind.HEADERS) == []
    connection.data_received(settings({Setting.MAX_CONCURRENT_STREAMS: 2}))
    assert [one.stream for one in transport.frames(Kind.HEADERS)] == [1, 3]


async def test_what_answers_that_came_together_bring_about_is_written_at_once() -> None:
    """A write for each wakes the server each time, which halves what a busy machine does."""
    connection, transport = await offline(settings({}))

    def again(_: Any) -> None:
        connection.call(message(b"x"), "m", monotonic() + 60, lambda _: None)

    for _ in range(3):
        connection.call(message(b"x"), "m", monotonic() + 60, again)
    before = transport.writes
    connection.data_received(b"".join(part for number in (1, 3, 5) for part in reply(number)))
    assert transport.writes == before + 1
    assert [one.stream for one in transport.frames(Kind.HEADERS)] == [1, 3, 5, 7, 9, 11]


async def test_a_smaller_table_is_confirmed_even_where_all_would_fit() -> None:
    """RFC 9113, 4.3.1; nghttp2 refuses a block that does not."""
    connection, transport = await offline(settings({Setting.HEADER_TABLE_SIZE: 4095}))
    for _ in range(2):
        connection.call(message(b"x"), "m", monotonic() + 60, lambda _: None)
    blocks = HeaderBlocks(FIELDS)
    assert [one.payload for one in transport.frames(Kind.HEADERS)] == [blocks.shrunk, blocks.plain]


async def test_a_call_that_begins_when_another_is_late_delays_no_deadline() -> None:
    connection, _ = await offline(settings({}))
    late: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def again(_: Any) -> None:
        connection.call(message(b"x"), "m", monotonic() + 60, lambda _: None)

    connection.call(message(b"x"), "m", monotonic() + 0.01, again)
    connection.call(message(b"x"), "m", monotonic() + 0.03, late.set_result)
    assert type(await asyncio.wait_for(late, 10)) is DeadlineExceeded
    connection.close()


FRAMES = st.lists(
    st.builds(
        frame,
        st.sampled_from(Kind),
        st.integers(0, 255),
        st.sampled_from([0, 1, 3, 5, 2**31 - 1]),
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from([OK, DONE, message(b"yes"), b"\0\x01\0\0\0\0", b"\xff" * 8]),
        ),
    ),
    max_size=12,
)


@settings_of(max_examples=150, deadline=None)
@given(FRAMES, st.binary(max_size=20), st.booleans())
def test_whatever_a_server_sends_every_call_ends_once(
    frames: list[bytes], rest: bytes, small: bool
) -> None:
    """With an answer or an error, and with nothing but these."""

    async def run() -> None:
        connection = Http2Connection(Address("grpc", "h", 1), HeaderBlocks(FIELDS))
        connection.connection_made(Written())
        connection.data_received(settings({}))
        told: list[Any] = []
        for _ in range(3):
            data = message(b"x" * (10 if small else 40_000))
            connection.call(data, "m", monotonic() + 60, told.append)
        for one in [*frames, rest]:
            connection.data_received(one)
        connection.connection_lost(None)
        assert len(told) == 3
        assert all(isinstance(one, bytes | RequestError) for one in told)

    asyncio.run(run())
