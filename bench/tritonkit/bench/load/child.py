"""A process of a load, as its parent sees it."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle  # noqa: TID251, its error alone: objects go to processes of our own
import signal
import threading
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from tritonkit.bench.load.worker import Job, work
from tritonkit.errors import ConfigError, LoadError

__all__ = ["Child"]

_ENDING = 10.0
"""Seconds that a process gets to end by itself once it has handed over its results."""


class Child:
    """
    Starts a process, talks with it over a pipe, and knows when it has died.

    Args:
        job: What it does.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.name = f"load process {job.share.number + 1} of {job.share.of}"
        self.heard: dict[str, Any] = {}
        """The words that came, each with its last value."""
        self.ended = 0
        """Requests that ended in it, as of a tenth of a second ago."""
        self.failure: str | None = None
        """Why it is of no more use."""
        self.failed = asyncio.Event()
        self._words: dict[str, asyncio.Event] = {}
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._listener: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """Of the process; 0 before it started."""
        process = self._process
        return process.pid or 0 if process is not None else 0

    async def start(self) -> None:
        """
        Start the process.

        Raises:
            ConfigError: If its job cannot be handed over.
            LoadError: If it cannot be started.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, self.job), name=self.name, daemon=True)
        try:
            await asyncio.to_thread(_start, process)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(f"the load cannot be handed to other processes: {error}.") from error
        except OSError as error:
            raise LoadError(f"{self.name} cannot start: {error}.") from error
        finally:
            # While this process holds it, the end of the other would not close the pipe.
            theirs.close()
        self._process = process
        self._listener = threading.Thread(
            target=self._listen, args=(asyncio.get_running_loop(), self._connection), daemon=True
        )
        self._listener.start()

    def say(self, command: str, value: Any) -> None:
        """Send a command."""
        assert self._connection is not None
        try:
            self._connection.send((command, value))
        except OSError:
            # It has ended; its pipe tells so as well.
            return

    async def hear(self, word: str) -> None:
        """Wait until a word has come."""
        await self._words.setdefault(word, asyncio.Event()).wait()

    def forget(self, word: str) -> None:
        """Wait for the next one when it is waited for."""
        self._words.pop(word, None)

    def kill(self) -> None:
        """End it now, or see that it ends by itself where it has handed over."""
        if self._process is not None:
            # Having handed over, it ends by itself.
            self._process.join(_ENDING if "recorded" in self.heard else 0.0)
            self._process.kill()
            self._process.join()
        if self._listener is not None:
            self._listener.join()
        if self._connection is not None:
            self._connection.close()

    def _listen(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> None:
        # A thread, since an event loop would make the pipe non-blocking, which long
        # messages do not survive.
        while True:
            try:
                word, value = connection.recv()
            except (EOFError, OSError):
                loop.call_soon_threadsafe(self._ended_early)
                return
            loop.call_soon_threadsafe(self._told, word, value)

    def _told(self, word: str, value: Any) -> None:
        if word == "ended":
            self.ended = value
        elif word == "failed":
            self._fail(f"{self.name} failed: {value}")
        else:
            self.heard[word] = value
            self._words.setdefault(word, asyncio.Event()).set()

    def _ended_early(self) -> None:
        if "recorded" in self.heard or self._process is None:
            return
        self._process.join(1.0)
        code = self._process.exitcode
        how = "" if code is None else f", with exit code {code}"
        if code is not None and code < 0:
            how = f", killed by signal {-code}"
        self._fail(f"{self.name} (process {self.pid}) ended before its time{how}.")

    def _fail(self, failure: str) -> None:
        self.failure = self.failure or failure
        self.failed.set()


def _start(process: BaseProcess) -> None:
    # Ctrl-C goes to all processes of a terminal, and the parent says what follows. A
    # mask is inherited, so that it holds from the child's first instant on. Starting the
    # tracker of multiprocessing lifts the mask, so it runs before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
