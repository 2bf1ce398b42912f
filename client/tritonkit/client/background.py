"""
One event loop in a thread of its own, for callers that have none.

There is one in a process, started when it is first needed. A child of a fork
starts its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from tritonkit.errors import ConfigError

__all__ = ["run"]

T = TypeVar("T")


class _Call(Generic[T]):
    """A coroutine on its way through the loop, and the caller that waits for it."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._finished = threading.Lock()
        self._finished.acquire()
        self._task: asyncio.Task[None] | None = None
        self._result: T | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """In the loop: begin."""
        self._task = asyncio.get_running_loop().create_task(self._drive())

    def cancel(self) -> None:
        """In the loop: give up."""
        if self._task is not None:
            self._task.cancel()

    async def _drive(self) -> None:
        try:
            self._result = await self._coroutine
        except BaseException as error:
            # Cancelled from outside, for the caller has left or the interpreter
            # ends: nobody waits, or a daemon thread that must stay where it is.
            if self._task is not None and self._task.cancelling():
                raise
            self._error = error
        self._finished.release()

    def wait(self, loop: asyncio.AbstractEventLoop) -> T:
        """In the caller's thread: the result, or its error."""
        try:
            self._finished.acquire()
        except BaseException:
            # Ctrl-C, or whatever a signal handler raises: the request goes too.
            loop.call_soon_threadsafe(self.cancel)
            raise
        if self._error is not None:
            try:
                raise self._error
            finally:
                # A traceback that holds its own exception is a cycle.
                del self._error
        return self._result  # type: ignore[return-value]  # T may be None itself


class _Background:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop."""
        if self._loop is None:
            with self._lock:
                if self._loop is None:
                    self._loop = self._start()
        if threading.current_thread() is self._thread:
            raise ConfigError(
                "a Client cannot be used inside of the event loop that serves it; "
                "use AsyncClient there"
            )
        return self._loop

    def _start(self) -> asyncio.AbstractEventLoop:
        runner = asyncio.Runner(loop_factory=_new_loop)
        loop = runner.get_loop()

        def serve() -> None:
            with runner:
                loop.run_forever()

        # A daemon, since nobody tells when the last client is done.
        self._thread = threading.Thread(target=serve, name="tritonkit", daemon=True)
        self._thread.start()
        return loop

    def stop(self) -> None:
        """End the loop and what is in it, so that the interpreter's end finds no thread at work."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=1)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """
    Run a coroutine in the background loop and wait for it.

    Works from any thread, also one that runs an event loop of its own, which
    stands still meanwhile. An interrupted wait cancels the coroutine.

    Raises:
        ConfigError: If called from within the background loop.
    """
    try:
        loop = _background.loop()
    except BaseException:
        coroutine.close()
        raise
    call = _Call(coroutine)
    loop.call_soon_threadsafe(call.start)
    return call.wait(loop)


_background = _Background()
# A child shares its parent's selector: what belongs to the parent's loop must
# not even be freed there.
_forked_off: list[_Background] = []


def _after_fork() -> None:
    global _background
    _forked_off.append(_background)
    _background = _Background()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(lambda: _background.stop())
