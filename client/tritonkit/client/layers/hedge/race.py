"""Two ways to one answer, the second of them begun late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tritonkit.errors import InvalidInput, RequestError

__all__ = ["Finish", "race"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finish(Generic[T]):
    """
    How a race ended.

    Args:
        answer: Of the winner.
        by_second: Whether that is the second.
        other: The loser's answer, where there was one at the same time.
    """

    answer: T
    by_second: bool
    other: T | None


async def race(
    first: Awaitable[T],
    second: Callable[[], Coroutine[Any, Any, T | None]],
    delay: float,
    *,
    hopeless: Callable[[], bool],
) -> Finish[T]:
    """
    The first answer to come; the loser is cancelled.

    *first* runs in the caller's own task, so a race that is decided before
    the delay costs a timer and no task. It is interrupted as `asyncio.timeout`
    does it.

    Args:
        first: Begun at once.
        second: Begun after the delay; gives None where it has no answer that counts.
        delay: Seconds.
        hopeless: Asked when *first* has failed: whether not to wait for the second.

    Raises:
        BaseException: What *first* raises, if the second has no answer either. An
            error of the second is passed over, unless it is no RequestError.
    """
    runners = _Race(second)
    timer = asyncio.get_running_loop().call_later(delay, runners.start)
    try:
        return await runners.run(first, hopeless)
    finally:
        timer.cancel()
        runners.stop()


class _Race(Generic[T]):
    __slots__ = ("_begin", "_caller", "_cancelling", "_interrupted", "_running", "_second")

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, T | None]]) -> None:
        caller = asyncio.current_task()
        assert caller is not None
        self._begin, self._caller = begin, caller
        self._cancelling = caller.cancelling()
        self._second: asyncio.Task[T | None] | None = None
        self._running = True
        self._interrupted = False

    def start(self) -> None:
        """Begin the second."""
        self._second = asyncio.ensure_future(self._begin())
        self._second.add_done_callback(self._ended)

    def stop(self) -> None:
        """Nobody waits for either."""
        self._running = False
        if self._second is not None:
            self._second.cancel()

    async def run(self, first: Awaitable[T], hopeless: Callable[[], bool]) -> Finish[T]:
        try:
            answer = await first
        except asyncio.CancelledError:
            if not self._take_back():
                raise
        except RequestError as error:
            if not self._take_back():
                self._running = False
                if self._second is None or isinstance(error, InvalidInput) or hopeless():
                    raise
                await asyncio.wait((self._second,))
                if not self._answered():
                    raise
        else:
            if not self._interrupted:
                self._running = False
                return Finish(answer, False, self._result() if self._answered() else None)
            # It answered although it was cancelled.
            if not self._take_back():
                raise asyncio.CancelledError
        result = self._result()
        assert result is not None
        return Finish(result, True, None)

    def _ended(self, second: asyncio.Task[T | None]) -> None:
        if second.cancelled():
            return
        # Asked for, so that nobody complains that it was not.
        error = second.exception()
        counts = second.result() is not None if error is None else _a_bug(error)
        if self._running and counts:
            self._running, self._interrupted = False, True
            self._caller.cancel()

    def _take_back(self) -> bool:
        """Whether the caller was cancelled by nobody but the second."""
        return self._interrupted and self._caller.uncancel() <= self._cancelling

    def _answered(self) -> bool:
        second = self._second
        if second is None or not second.done() or second.cancelled():
            return False
        error = second.exception()
        return second.result() is not None if error is None else _a_bug(error)

    def _result(self) -> T | None:
        assert self._second is not None
        return self._second.result()


def _a_bug(error: BaseException) -> bool:
    return not isinstance(error, RequestError)
