"""Calls that travel together: from their callers into requests, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import TypeAlias

from tritonkit.client.layers.coalesce.gathering import Gathering
from tritonkit.client.layers.coalesce.joining import join, split, unsplittable
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import DeadlineExceeded, InferenceFailed, InvalidInput, RequestError

__all__ = ["Call", "Group", "Outcome"]

Outcome: TypeAlias = InferResponse | BaseException | None
"""The answer, what is to be raised, or None for a call that makes its own request."""


class Call:
    """
    One caller's request, and where it is.

    Args:
        request: Whose answer the caller waits for.
        rows: How many it has.
    """

    __slots__ = ("_future", "alone", "joined", "later", "request", "rows")

    def __init__(self, request: InferRequest, rows: int) -> None:
        self.request, self.rows = request, rows
        self.joined: _Joined | None = None
        self.alone = False
        self.later: Parts = ()
        self._future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    @property
    def settled(self) -> bool:
        """Whether the caller got an outcome, and not only late."""
        future = self._future
        return future.done() and not future.cancelled() and future.exception() is None

    @property
    def open(self) -> bool:
        """Whether the caller still waits."""
        return not self._future.done()

    async def outcome(self) -> Outcome:
        """
        Wait for what comes of the call.

        Raises:
            DeadlineExceeded: If its deadline passes first.
        """
        remaining = self.request.remaining()
        if remaining is None:
            return await self._future
        loop = self._future.get_loop()
        timer = loop.call_later(max(0.0, remaining), self._give_up)
        try:
            return await self._future
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        if self.open:
            model = self.request.model
            self._future.set_exception(
                DeadlineExceeded(
                    f"the deadline passed before model {model!r} answered", model=model
                )
            )

    def settle(self, outcome: Outcome) -> None:
        """Wake the caller up, if it is still there."""
        self.joined = None
        if self.open:
            self._future.set_result(outcome)

    def go(self, later: Parts) -> None:
        """Let the open call make its own request, and *later* follow when it is answered."""
        self.alone, self.later = True, later
        self.settle(None)

    def cancel(self) -> None:
        """Nobody waits for this call, or nobody will answer it."""
        self.joined = None
        self._future.cancel()


Parts: TypeAlias = Sequence[Sequence[Call]]
"""Calls of one request each, which are sent in turn."""


class _Joined:
    """One request of many calls, and those that follow it."""

    __slots__ = ("calls", "later", "task", "waiting")

    def __init__(self, calls: Sequence[Call], later: Parts, inner: Service) -> None:
        self.calls, self.later = calls, later
        self.waiting = len(calls)
        self.task = asyncio.get_running_loop().create_task(_send(calls, inner))
        for call in calls:
            call.joined = self


async def _send(calls: Sequence[Call], inner: Service) -> InferResponse:
    return await inner(join([call.request for call in calls]))


class Group:
    """
    The calls of one kind in one event loop.

    Args:
        gathering: When to send which of them.
        inner: Answers requests.
        parts: What is due together as the requests that go in turn.
        empty: Told when no call is left, as often as that happens.
        refused: Told of a request that must not be joined with others, and why.
        doubted: Told of a request that was called invalid when it was joined.
    """

    def __init__(
        self,
        gathering: Gathering[Call],
        inner: Service,
        *,
        parts: Callable[[Sequence[Call]], Parts],
        empty: Callable[[Group], None],
        refused: Callable[[InferRequest, str], None],
        doubted: Callable[[InferRequest], None],
    ) -> None:
        self.inner = inner
        self._gathering = gathering
        self._parts = parts
        self._empty, self._refused, self._doubted = empty, refused, doubted
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._due: float | None = None

    def add(self, call: Call) -> None:
        """Let a call wait for others."""
        self._gathering.add(call, call.rows, monotonic(), call.request.deadline)
        self._schedule()

    def leave(self, call: Call) -> None:
        """The caller has its outcome, or wants none anymore."""
        if call.alone:
            self._start(call.later)
        elif call.settled:
            return
        else:
            joined = call.joined
            call.cancel()
            if joined is not None:
                joined.waiting -= 1
                if not joined.waiting:
                    joined.task.cancel()
                return
            self._gathering.remove(call)
        self._schedule()

    def _schedule(self) -> None:
        """See to it that what waits is sent when it is due."""
        due = self._gathering.due()
        if self._timer is not None:
            if due == self._due:
                return
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due is None:
            if self._gathering.idle:
                self._empty(self)
        elif (wait := due - monotonic()) <= 0:
            # Behind those whom the event loop wakes up in this turn: they come along.
            self._timer = self._loop.call_soon(self._send)
        else:
            self._timer = self._loop.call_later(wait, self._send)

    def _send(self) -> None:
        self._timer = None
        # A timer may be early by the event loop's resolution.
        now = monotonic() if self._due is None else max(monotonic(), self._due)
        for calls in self._gathering.take(now):
            self._start(self._parts(calls))
        self._schedule()

    def _start(self, parts: Parts) -> None:
        """Send the first of *parts*, which count as one in flight until the last is answered."""
        for number, calls in enumerate(parts, start=1):
            calls = [call for call in calls if call.open]
            if len(calls) > 1:
                joined = _Joined(calls, parts[number:], self.inner)
                joined.task.add_done_callback(partial(self._settle, joined))
                return
            if calls:
                calls[0].go(parts[number:])
                return
        self._gathering.ended()

    def _settle(self, joined: _Joined, task: asyncio.Task[InferResponse]) -> None:
        left = [call for call in joined.calls if call.joined is joined]
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            for call in left:
                call.cancel()
        elif error is None:
            self._answer(joined, left, task.result())
        elif isinstance(error, (InvalidInput, InferenceFailed)):
            self._halve(left, error)
        else:
            for call in left:
                call.settle(_own(error))
        self._start(joined.later)
        self._schedule()

    def _answer(self, joined: _Joined, left: Sequence[Call], answer: InferResponse) -> None:
        reason = unsplittable(answer, sum(call.rows for call in joined.calls))
        if reason:
            self._refused(joined.calls[0].request, reason)
            for call in left:
                self._again([call])
            return
        stop = 0
        for call in joined.calls:
            start, stop = stop, stop + call.rows
            if call.joined is joined:
                call.settle(split(answer, start, stop, call.request.id))

    def _halve(self, calls: Sequence[Call], error: RequestError) -> None:
        """Find the guilty: each half once more, until it is one call's own request that fails."""
        if isinstance(error, InvalidInput) and calls:
            self._doubted(calls[0].request)
        middle = len(calls) // 2
        self._again(calls[:middle])
        self._again(calls[middle:])

    def _again(self, calls: Sequence[Call]) -> None:
        self._gathering.in_flight += 1
        self._start([calls])


def _own(error: BaseException) -> BaseException:
    """An error for each caller: raising one adds to its traceback."""
    if not isinstance(error, RequestError):
        return error
    own = type(error).__new__(type(error), *error.args)
    own.__dict__.update(error.__dict__)
    own.__cause__ = error
    return own
