"""A thread that writes events in batches, and holds what cannot be written now."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tritonkit.client.experiments.backend import Backend
from tritonkit.client.experiments.events import Answer, Event, Exposure, wall_clock
from tritonkit.client.experiments.log import Loss
from tritonkit.errors import ServerUnavailable

__all__ = ["Acknowledged", "Writer"]

BATCH = 1_000
"""Events of one transaction: its cost is spread, and an exposure behind it waits for some ms."""

LINGER = 0.05
"""Seconds that events wait for others, unless somebody waits for them."""

FIRST_PAUSE, LAST_PAUSE = 0.05, 1.0
"""Seconds between tries while nothing can be written."""

TRIM_EVERY = 60.0
"""Seconds between looks for what is too old."""

_log = logging.getLogger("tritonkit.client.experiments")


class Acknowledged:
    """
    Waits, in its event loop, for something to be written.

    Make it in the loop that waits for it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[bool] = self._loop.create_future()

    def tell(self, new: bool) -> None:
        """From any thread: it is written; *new* unless it was there."""
        # Who waited may be gone, with the loop.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._resolve, new)

    def _resolve(self, new: bool) -> None:
        if not self.future.done():
            self.future.set_result(new)


class _Item(NamedTuple):
    # None stands for whoever waits until all before it is written.
    event: Event | None
    waiting: Acknowledged | None


class Writer:
    """
    Writes what it is given, in order, from a thread of its own that starts with the first.

    What fails is tried again until it succeeds. Meanwhile events wait: so many
    exposures, and so many others; the newest are lost beyond, and what they were is
    written down later.

    Args:
        backend: Makes the connection that the thread uses.
        room: The most exposures that wait, and the most of everything else.
        max_age: Seconds after which events are forgotten; None for never.
    """

    def __init__(self, backend: Callable[[], Backend], *, room: int, max_age: float | None) -> None:
        self._backend = backend
        self._room = room
        self._max_age = max_age
        self._changed = threading.Condition()
        self._items: deque[_Item] = deque()
        self._waiting: Counter[bool] = Counter()
        self._lost: Counter[Loss] = Counter()
        self._hurry = self._stopping = False
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._name, self._batches = os.urandom(16).hex(), 0
        self.counts: Counter[str] = Counter()
        self.failing = ""
        """Why the last try failed; empty where it did not."""

    def put(self, event: Event, waiting: Acknowledged | None = None) -> bool:
        """
        Write an event before long; at once, if somebody waits.

        Returns:
            False where there is no room: it is lost, and counted.
        """
        exposure = isinstance(event, Exposure)
        with self._changed:
            if self._waiting[exposure] >= self._room:
                self.counts["lost"] += 1
                self._lost[_loss(event)] += 1
                return False
            self._waiting[exposure] += 1
            self._append(_Item(event, waiting))
        return True

    def barrier(self, waiting: Acknowledged) -> None:
        """Tell *waiting* when all that was put so far is written."""
        with self._changed:
            self._append(_Item(None, waiting))

    def stop(self, patience: float) -> None:
        """Write what waits, for so long, and end the thread. Does nothing in a child of a fork."""
        if self._pid != os.getpid():
            return
        with self._changed:
            thread, self._stopping, self._hurry = self._thread, True, True
            self._changed.notify()
        # The garbage collector may end a log in any thread, this one too.
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def _append(self, item: _Item) -> None:
        idle = not self._items
        self._items.append(item)
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(
                target=self._run, name="tritonkit-experiments", daemon=True
            )
            self._thread.start()
        hurry = item.waiting is not None or len(self._items) >= BATCH
        if hurry and not self._hurry:
            self._hurry = True
            self._changed.notify()
        elif idle:
            self._changed.notify()

    def _run(self) -> None:
        backend = self._backend()
        trimmed = -TRIM_EVERY
        pause = FIRST_PAUSE
        items: list[_Item] | None = None
        lost: Counter[Loss] = Counter()
        try:
            while True:
                items = self._next()
                if items is None:
                    return
                lost = self._take_losses()
                self._batches += 1
                batch = f"{self._name}-{self._batches}"
                while not self._written(backend, batch, items, lost):
                    if self._rest(pause):
                        self._give_up(items, lost)
                        return
                    pause = min(2 * pause, LAST_PAUSE)
                pause, items, lost = FIRST_PAUSE, None, Counter()
                if self._max_age is not None and time.monotonic() - trimmed >= TRIM_EVERY:
                    trimmed = time.monotonic()
                    with suppress(ServerUnavailable):
                        backend.trim(wall_clock() - self._max_age)
        finally:
            with self._changed:
                if self._thread is threading.current_thread():
                    # It ends by an error of ours: the next event begins another one.
                    self._thread = None
                    self._lose(items or [], lost)
            backend.close()

    def _next(self) -> list[_Item] | None:
        """A batch, once there is one, or losses to write down; None at the end."""
        with self._changed:
            while not self._items:
                if self._lost:
                    return []
                if self._stopping:
                    self._thread = None
                    return None
                self._changed.wait()
            if not self._hurry:
                self._changed.wait(LINGER)
            items = [self._items.popleft() for _ in range(min(BATCH, len(self._items)))]
            # What is left has waited already.
            self._hurry = self._stopping or bool(self._items)
            return items

    def _written(
        self, backend: Backend, batch: str, items: list[_Item], lost: Counter[Loss]
    ) -> bool:
        events = [item.event for item in items if item.event is not None]
        try:
            new = iter(backend.write(batch, events, lost) if events or lost else [])
        except ServerUnavailable as error:
            if not self.failing:
                _log.warning("events of experiments wait: %s", error)
            self.failing = str(error)
            self.counts["failures"] += 1
            return False
        self.failing = ""
        with self._changed:
            self.counts["written"] += len(events)
            for event in events:
                self._waiting[isinstance(event, Exposure)] -= 1
        for item in items:
            first = item.event is None or next(new)
            if item.waiting is not None:
                item.waiting.tell(first)
        return True

    def _take_losses(self) -> Counter[Loss]:
        with self._changed:
            lost, self._lost = self._lost, Counter()
        return lost

    def _rest(self, seconds: float) -> bool:
        """Wait before the next try; True where there is to be none."""
        end = time.monotonic() + seconds
        with self._changed:
            while not self._stopping and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return self._stopping

    def _give_up(self, items: list[_Item], lost: Counter[Loss]) -> None:
        with self._changed:
            left = [*items, *self._items]
            self._items.clear()
            before = self.counts["lost"]
            self._lose(left, lost)
            self._thread = None
            count = self.counts["lost"] - before
        if count:
            _log.warning("%d events of experiments are lost: %s", count, self.failing)

    def _lose(self, items: list[_Item], lost: Counter[Loss]) -> None:
        """With the lock: count what is never written, to be written down by whoever writes next."""
        self._lost.update(lost)
        for event in (item.event for item in items if item.event is not None):
            self.counts["lost"] += 1
            self._lost[_loss(event)] += 1
            self._waiting[isinstance(event, Exposure)] -= 1


def _loss(event: Event) -> Loss:
    if isinstance(event, Exposure | Answer):
        kind = "exposure" if isinstance(event, Exposure) else "answer"
        return Loss(event.experiment, event.version, event.arm, kind)
    return Loss("", "", "", "outcome")
