"""Keeps the history off the event loop, and never fails a request."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from tritonkit.errors import ConfigError, ServerUnavailable
from tritonkit.gateway.live.document import Alert, Keeping
from tritonkit.gateway.live.history import Exchange, History
from tritonkit.gateway.live.history_file import check_damage
from tritonkit.gateway.live.sample import Sample
from tritonkit.gateway.live.setting import Setting
from tritonkit.gateway.live.steady import Steady

__all__ = ["Keeper"]

_log = logging.getLogger(__name__)
T = TypeVar("T")

AGAIN = 5.0
"""Seconds after a failure in which nothing is tried."""

TIDY = 15.0
"""Seconds between two tidyings."""


class Keeper:
    """
    One thread that has the history, and what became of it.

    What cannot be kept, for want of room or of rights, is said on the page and in the log, once;
    it is tried again every 5 seconds.

    Args:
        open: Opens the history, and is told up to where it was read.
        path: Of its file, for messages; None where it is in memory.
        steady: Whether the clock can be trusted.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        open: Callable[[int | None], History],
        *,
        path: Path | None,
        steady: Steady,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._open, self._path = open, path
        self._steady, self._clock = steady, clock
        self._history: History | None = None
        self._seen: int | None = None
        self._again = float("-inf")
        self._tidied = clock()
        self._why = ""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tritonkit-history")

    @property
    def keeping(self) -> Keeping:
        """Whether it is kept, and why not."""
        if self._why:
            return {"kept": False, "why": self._why}
        return {"kept": self._path is not None, "why": ""}

    async def exchange(
        self,
        samples: Sequence[tuple[int, Sample]],
        reading: Mapping[str, Any],
        alerts: Sequence[Alert],
    ) -> Exchange | None:
        """Write what this worker saw, and learn of the others; None where that failed."""

        def work(history: History) -> Exchange:
            learnt = history.exchange(samples, reading, alerts)
            if self._clock() - self._tidied >= TIDY:
                self._tidied = self._clock()
                history.tidy(by_age=self._steady.trusted)
            return learnt

        try:
            return await self._run(work)
        except ServerUnavailable:
            return None

    async def change(self, setting: Setting) -> list[Setting]:
        """
        Change something for all workers; all that is changed.

        Raises:
            ServerUnavailable: If it cannot be kept; nothing is changed.
        """
        return await self._run(lambda history: history.change(setting))

    async def samples(self, since: float, until: float, step: int) -> dict[int, Sample]:
        """
        Samples of *step* seconds each, all workers together, by their starts.

        Raises:
            ServerUnavailable: If they cannot be read.
        """
        return await self._run(lambda history: history.samples(since, until, step))

    async def aclose(self) -> None:
        """Let go of the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[History], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._try, work)

    def _try(self, work: Callable[[History], T]) -> T:
        if self._clock() < self._again:
            raise ServerUnavailable(f"the history is not kept: {self._why}")
        try:
            if self._history is None:
                self._history = self._open(self._seen)
            found = work(self._history)
        except (sqlite3.Error, OSError, ConfigError) as error:
            self._failed(error)
            raise ServerUnavailable(f"the history is not kept: {self._why}") from error
        if self._why:
            _log.warning("the history is kept again in %s", self._path)
            self._why = ""
        return found

    def _failed(self, error: Exception) -> None:
        if self._history is not None:
            self._seen = self._history.seen
            if self._path is not None and isinstance(error, sqlite3.Error):
                check_damage(self._path, self._history.inode, error)
        self._close()
        why = f"{self._path}: {error}"
        if why != self._why:
            _log.warning("the history is not kept: %s", why)
        self._why, self._again = why, self._clock() + AGAIN

    def _close(self) -> None:
        history, self._history = self._history, None
        if history is not None:
            history.close()
