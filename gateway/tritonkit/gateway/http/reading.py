"""
The requests of one connection, out of its bytes.

Bytes are parsed by httptools, which is llhttp, Node's parser, in its strict mode. What it
lets through and RFC 9112 does not is refused here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from time import perf_counter_ns
from typing import TYPE_CHECKING

from tritonkit.gateway.http.heads import Unreadable, length_of, read_head, without_upgrade
from tritonkit.gateway.http.message import Answer, Head, Request, refuse

if TYPE_CHECKING:
    from tritonkit.gateway.http.shop import Shop

__all__ = ["Reading", "State"]

_SLICE = 4096
"""Bytes that are parsed at a time, but for those of a body: some 150 requests at most."""

_SWALLOWED = 65536
"""Bytes of the body of a refused request that are read, so that the connection may live on."""

_MOST_HEADERS = 256
"""Of a request; each costs more than its bytes."""

_REASONS = {
    400: "malformed",
    405: "malformed",
    408: "slow",
    413: "body",
    431: "header",
    501: "malformed",
    503: "connections",
    505: "malformed",
}
"""In metrics, why somebody was turned away at the connection."""


class State(Enum):
    """Of what the next byte is a part."""

    IDLE = "idle"
    """Of a request that has not begun."""
    HEAD = "head"
    BODY = "body"
    ENDING = "ending"
    """Of nothing that anybody looks at."""


class Reading:
    """
    Takes bytes, and lays whole requests into `queue`, or answers that refuse them.

    What follows a request that waits is not parsed until that has been taken: bytes are
    small, and requests are not.

    Args:
        shop: Of the worker.
        now: Seconds, of the clock that is handed in with bytes.
        encourage: Tells the client that a body may come.
    """

    __slots__ = (
        "_again",
        "_barren",
        "_body",
        "_encourage",
        "_fed",
        "_head",
        "_headers",
        "_length",
        "_limit",
        "_now",
        "_number",
        "_parser",
        "_rest",
        "_shop",
        "_url",
        "got",
        "last",
        "peer",
        "queue",
        "since",
        "state",
    )

    def __init__(self, shop: Shop, now: float, encourage: Callable[[], None]) -> None:
        self._shop, self._encourage = shop, encourage
        self._parser = shop.parser(self)
        self.peer: tuple[str, int] | None = None
        """Address of the client."""
        self.queue: deque[Request | tuple[Head | None, Answer]] = deque()
        """What waits to be answered, in its order."""
        self.last = False
        """Whether nothing is taken after what waits."""
        # The first request must begin at once; later ones have the time of keep-alive.
        self.state, self.since = State.HEAD, now
        """What is read, and since when."""
        self._now = now
        self._number = 0
        self._again = b""
        self._rest: bytes | memoryview = b""
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head: Head | None = None
        self._body: list[bytes] = []
        self._fed = self.got = 0
        """Bytes of the body so far."""
        self._length = self._limit = self._barren = 0

    @property
    def waits(self) -> bool:
        """Whether there is something to answer, or to parse."""
        return bool(self.queue or self._rest)

    @property
    def untouched(self) -> bool:
        """Whether nothing of a request has come."""
        if self._rest:
            return False
        return self.state is State.IDLE or (self.state is State.HEAD and not self._number)

    @property
    def answered(self) -> bool:
        """Whether the request that is being read has its refusal already."""
        return self.state is State.BODY and self._limit < 0

    def close(self) -> None:
        """Let go of the parser, which holds this in turn, and of what waits."""
        self.state, self.last, self._parser = State.ENDING, True, None
        self._rest = b""
        self.queue.clear()

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes that have come."""
        self._rest = b"".join((self._rest, data)) if self._rest else data
        self.parse(now)

    def parse(self, now: float) -> None:
        """Go on to the next request, or to the end of what has come."""
        while self._rest and not self.queue and self.state is not State.ENDING:
            if self.state is State.IDLE:
                self.state, self.since = State.HEAD, now
            self._now = now
            data: bytes | memoryview = self._rest
            size = max(_SLICE, self._length - self.got)
            if len(data) <= size:
                self._rest = b""
            else:
                view = memoryview(data)
                data, self._rest = view[:size], view[size:]
            self._parse(data)
        if self.state is State.ENDING:
            self._rest = b""

    def _parse(self, data: bytes | memoryview) -> None:
        broken, upgrade = self._shop.parser_errors
        while data:
            before = (self._number, self._head, self.got)
            try:
                self._parser.feed_data(data)
            except upgrade as error:
                # Nothing is upgraded to, and the parser passes over the body: the head is
                # read again without the offer.
                data = self._again + data[error.args[0] :]
                self._again = b""
                self._parser = self._shop.parser(self)
                continue
            except broken as error:
                if self.state is not State.ENDING:
                    # What an own check has to say comes as the cause of the parser's error.
                    cause = error.__context__
                    if isinstance(cause, Unreadable):
                        self.refuse(refuse(cause.status, str(cause)))
                    elif cause is not None:
                        raise
                    else:
                        self.refuse(refuse(400, f"not HTTP/1.1: {error}"))
                return
            self._overhead(before, len(data))
            return

    def _overhead(self, before: tuple[int, Head | None, int], size: int) -> None:
        """Refuse a head without an end, or a body that is mostly framing."""
        if self.state is State.ENDING or (self._number, self._head) != before[:2]:
            return
        self._fed += size
        # Of a trailer, or of a chunk's extension.
        self._barren = self._barren + size if self.got == before[2] else 0
        most = self._shop.bounds.max_header
        if self._head is None:
            if self.state is State.HEAD and self._fed > most:
                self.refuse(_too_long(most))
        elif self._barren > most or self._fed - self.got > most + 8 * self.got:
            self.refuse(refuse(400, "the chunks of the body are mostly framing"))

    def refuse(self, answer: Answer, head: Head | None = None) -> None:
        """Answer and take no more of what the client sends."""
        self._shop.refused(_REASONS.get(answer.status, "other"))
        self.state = State.ENDING
        self.last = True
        self._body = []
        self.queue.append((head or self._head, answer))

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request begins."""
        if self.state is not State.ENDING:
            self._begin()
            self._number += 1
            self.state, self.since = State.HEAD, self._now

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, of which nothing is wanted."""
        if self._head is None:
            if len(self._headers) == _MOST_HEADERS:
                raise Unreadable(431, f"the request has more than {_MOST_HEADERS} headers")
            # The parser leaves the blanks behind a value.
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self.state is State.ENDING:
            return
        bounds = self._shop.bounds
        parser = self._parser
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise Unreadable(405, "the gateway is no tunnel")
            self._again = without_upgrade(
                parser.get_method(), self._url, parser.get_http_version(), self._headers
            )
            return
        size = len(self._url) + sum(len(n) + len(v) + 4 for n, v in self._headers)
        if size > bounds.max_header:
            self.refuse(_too_long(bounds.max_header))
            return
        head = read_head(
            parser.get_method().decode("ascii"),
            self._url,
            parser.get_http_version(),
            self._headers,
            self.peer,
        )
        length = length_of(head)
        self._head = head
        self._fed = self.got = 0
        self._length = length or 0
        admitted = self._shop.app.admit(head)
        if isinstance(admitted, Answer):
            stays = parser.should_keep_alive() and b"expect" not in head.headers
            if length is None or length > _SWALLOWED or not stays:
                self.refuse(admitted, head)
                return
            self._limit = -1
            self.state, self.since = State.BODY, self._now
            self.queue.append((head, admitted))
            return
        self._limit = min(admitted, bounds.max_body)
        self.state, self.since = State.BODY, self._now
        if length is not None and length > self._limit:
            self.refuse(_too_large(self._limit), head)
        elif length != 0 and head.version == "1.1" and _expects(head):
            self._encourage()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self.state is State.ENDING:
            return
        self.got += len(body)
        self._shop.received += len(body)
        if self._limit < 0:
            return
        if self.got > self._limit:
            self.refuse(_too_large(self._limit), self._head)
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        head = self._head
        if self.state is State.ENDING or head is None:
            return
        if not self._parser.should_keep_alive():
            self.last = True
        self.state, self.since = State.IDLE, self._now
        if self._limit >= 0:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self.queue.append(Request(head, body, perf_counter_ns()))
        self._begin()
        if self.last:
            # What follows is not looked at.
            self.state = State.ENDING


def _expects(head: Head) -> bool:
    return head.headers.get(b"expect", b"").lower() == b"100-continue"


def _too_long(limit: int) -> Answer:
    return refuse(431, f"the request line and its headers exceed {limit} bytes")


def _too_large(limit: int) -> Answer:
    return refuse(413, f"the body exceeds {limit} bytes")
