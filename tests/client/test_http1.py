"""The response parser: over every way to cut a stream, against httptools, and against nonsense."""

from __future__ import annotations

import itertools
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.wire.head import MAX_HEAD
from tritonkit.client.wire.http1 import Reply, ResponseParser
from tritonkit.errors import ProtocolError

OK = b"HTTP/1.1 200 OK\r\n"


def feed(parser: ResponseParser, data: bytes) -> list[Reply]:
    """As a socket would: never more than the parser has room for."""
    replies = []
    while data:
        buffer = parser.buffer()
        piece, data = data[: len(buffer)], data[len(buffer) :]
        buffer[: len(piece)] = piece
        reply = parser.filled(len(piece))
        if reply is not None:
            replies.append(reply)
    return replies


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def chunked(body: bytes, sizes: list[int]) -> bytes:
    parts = [part for part in cut(body, sizes) if part]
    lines = [b"%X;a=b\r\n%s\r\n" % (len(part), part) for part in parts]
    return b"".join(lines) + b"0\r\nTrailer: x\r\n\r\n"


BODIES = st.binary(max_size=300) | st.binary(min_size=1, max_size=1).map(lambda b: b * 70_000)
NAMES = st.sampled_from(["Content-Type", "x-a", "X_b", "Connection-Id"])
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, int, dict[str, str], bytes]:
    status = draw(st.sampled_from([200, 201, 400, 404, 500, 503]))
    body = draw(BODIES)
    headers = draw(st.dictionaries(NAMES, VALUES, max_size=4))
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if draw(st.booleans()):
        lines.append(f"Content-Length: {len(body)}")
        payload = body
    else:
        lines.append("Transfer-Encoding: chunked")
        payload = chunked(body, draw(st.lists(st.integers(0, 10**6), max_size=4)))
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    reason = draw(st.sampled_from(["OK", "", "Not Found"]))
    head = f"HTTP/1.1 {status} {reason}\r\n" + "\r\n".join(lines) + "\r\n\r\n"
    return interim + head.encode() + payload, status, headers, body


class Oracle:
    """httptools' account of one response."""

    def __init__(self, data: bytes) -> None:
        self.body = b""
        self.headers: dict[str, str] = {}
        self.complete = 0
        self.status = 0
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.keep_alive = parser.should_keep_alive()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


@given(responses(), st.lists(st.integers(0, 10**6), max_size=6))
def test_a_response_is_the_same_however_it_is_cut(
    response: tuple[bytes, int, dict[str, str], bytes], places: list[int]
) -> None:
    data, status, headers, body = response
    parser = ResponseParser()
    pieces = cut(data, places)
    (reply,) = [reply for piece in pieces for reply in feed(parser, piece)]
    assert reply.status == status
    assert bytes(reply.body) == body
    assert reply.body.readonly
    for name, value in headers.items():
        assert reply.headers[name.lower()] == value.strip(" ")
    assert parser.keep_alive
    assert not parser.started


@given(responses())
def test_httptools_reads_the_same(response: tuple[bytes, int, dict[str, str], bytes]) -> None:
    data = response[0].removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    (reply,) = feed(ResponseParser(), data)
    oracle = Oracle(data)
    assert oracle.complete == 1
    assert bytes(reply.body) == oracle.body
    oracle.headers.pop("trailer", None)
    assert dict(reply.headers) == {k: v.rstrip(" ") for k, v in oracle.headers.items()}


@given(responses(), responses())
def test_one_parser_reads_one_response_after_the_other(first: Any, second: Any) -> None:
    parser = ResponseParser()
    for data, status, _, body in (first, second):
        (reply,) = feed(parser, data)
        assert (reply.status, bytes(reply.body)) == (status, body)


@given(responses(), st.data())
def test_an_end_in_the_middle_is_an_error(response: Any, data: st.DataObject) -> None:
    raw = response[0]
    parser = ResponseParser()
    feed(parser, raw[: data.draw(st.integers(1, len(raw) - 1))])
    with pytest.raises(ProtocolError, match="in the middle"):
        parser.eof()


@given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 "]))
def test_any_bytes_are_read_or_refused(data: bytes, start: bytes) -> None:
    parser = ResponseParser()
    try:
        feed(parser, start + data)
        parser.eof()
    except ProtocolError:
        pass


@given(responses(), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=3))
def test_a_damaged_response_is_read_or_refused(response: Any, damage: Any) -> None:
    raw = bytearray(response[0])
    for place, value in damage:
        raw[place % len(raw)] = value
    parser = ResponseParser()
    try:
        feed(parser, bytes(raw))
        parser.eof()
    except ProtocolError:
        pass


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    parser = ResponseParser()
    assert feed(parser, b"HTTP/1.1 200 OK\r\n\r\nab") == []
    assert feed(parser, b"cd") == []
    reply = parser.eof()
    assert reply is not None
    assert bytes(reply.body) == b"abcd"
    assert not parser.keep_alive


def test_many_interim_responses_come_before_the_response() -> None:
    interim = b"HTTP/1.1 102 \r\n\r\n" * 3000
    (reply,) = feed(ResponseParser(), interim + OK + b"Content-Length: 1\r\n\r\na")
    assert bytes(reply.body) == b"a"


def test_an_end_before_the_first_byte_is_no_error() -> None:
    assert ResponseParser().eof() is None


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", True),
    ],
)
def test_whether_the_connection_lives_on(head: bytes, keep_alive: bool) -> None:
    parser = ResponseParser()
    (reply,) = feed(parser, head)
    assert bytes(reply.body) == b""
    assert parser.keep_alive is keep_alive


def test_repeated_headers_are_joined() -> None:
    (reply,) = feed(
        ResponseParser(), b"HTTP/1.1 200 OK\r\nA: b\r\na:c\r\nContent-Length: 0\r\n\r\n"
    )
    assert reply.headers["a"] == "b, c"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02",
        OK + b"no colon\r\n\r\n",
        OK + b": nameless\r\n\r\n",
        OK + b"folded: a\r\n b\r\n\r\n",
        OK + b"space : a\r\n\r\n",
        OK + b"bare: a\nInjected: b\r\n\r\n",
        OK + b"nul: \0\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: +1\r\n\r\n",
        OK + b"Content-Length: 1_0\r\n\r\n",
        OK + b"Content-Length: \xb2\r\n\r\n",
        OK + b"Content-Length: 1, 2\r\n\r\n",
        OK + b"Content-Length:\r\n\r\n",
        OK + b"Content-Length: 99999999999999999\r\n\r\n",
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\n",
        OK + b"Content-Length: 1\r\n\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * MAX_HEAD,
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 11_000,
        OK + b"a: " + b"b" * MAX_HEAD,
        OK + b"a: " + b"b" * MAX_HEAD + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"garbage",
    ],
)
def test_a_malformed_response_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        feed(ResponseParser(), data)
    parser = ResponseParser()
    with pytest.raises(ProtocolError):  # noqa: PT012, whichever byte it is
        for byte in data:
            feed(parser, bytes([byte]))


def test_a_second_response_in_one_piece_is_refused() -> None:
    with pytest.raises(ProtocolError, match="more than one response"):
        feed(ResponseParser(), (OK + b"Content-Length: 0\r\n\r\n") * 2)


@pytest.mark.parametrize(
    "start",
    [
        b"\r\n",
        b"Content-Length: 1000\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n65\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n60\r\n",
    ],
)
def test_a_body_beyond_the_limit_is_refused(start: bytes) -> None:
    with pytest.raises(ProtocolError, match="exceeds"):
        feed(ResponseParser(max_body=100), OK + start + b"x" * 101)


def test_a_large_body_is_received_where_it_stays() -> None:
    parser = ResponseParser()
    feed(parser, OK + b"Content-Length: 1000000\r\n\r\n")
    buffer = parser.buffer()
    assert len(buffer) == 1_000_000
    buffer[:] = bytes(1_000_000)
    reply = parser.filled(1_000_000)
    assert reply is not None
    assert reply.body.obj is buffer.obj
