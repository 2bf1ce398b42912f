"""When gathered calls are sent, and which of them together: a schedule without a clock."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["AT_ONCE", "Gathering"]

T = TypeVar("T")

AT_ONCE = -math.inf
"""The time of what is due already."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T]):
    item: T
    rows: int
    since: float
    urgent: float
    """From when on it must not wait: a window before its deadline."""


class Gathering(Generic[T]):
    """
    Calls that may travel together, in the order in which they came.

    What waits is sent

    - at once where nothing is in flight,
    - as soon as there are *max_rows* of it, for more cannot join,
    - when its oldest has waited for *window* and fewer than *max_in_flight* are
      in flight, or one of them comes back,
    - when the deadline of one of them is no more than a window away.

    Every time is a number of seconds of one clock.

    Args:
        max_rows: Of what is sent together.
        window: How long a call waits for others while it could be sent.
        max_in_flight: While so many are in flight, sending more than a full one
            or an urgent one would only make the server wait with it instead.
    """

    def __init__(self, *, max_rows: int, window: float, max_in_flight: int) -> None:
        self.max_rows, self.window, self.max_in_flight = max_rows, window, max_in_flight
        self.in_flight = 0
        self._waiting: deque[_Waiting[T]] = deque()
        self._rows = 0
        self._urgent = math.inf
        # One came back while these waited.
        self._released = False

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is in flight."""
        return not self._waiting and not self.in_flight

    def add(self, item: T, rows: int, now: float, deadline: float | None = None) -> None:
        """
        Let *item* wait.

        Args:
            item: What `take` gives back.
            rows: 1 to *max_rows*.
            now: When it came; never before those who came earlier.
            deadline: When its answer is too late.
        """
        urgent = math.inf if deadline is None else deadline - self.window
        self._waiting.append(_Waiting(item, rows, now, urgent))
        self._rows += rows
        self._urgent = min(self._urgent, urgent)

    def remove(self, item: T) -> None:
        """Forget *item*, if it waits."""
        for waiting in self._waiting:
            if waiting.item is item:
                self._waiting.remove(waiting)
                self._left(waiting.rows)
                break

    def ended(self) -> None:
        """One of those in flight came back, or failed."""
        self.in_flight -= 1
        self._released = bool(self._waiting)

    def due(self) -> float | None:
        """When to `take`: AT_ONCE, a time, or None until `add` or `ended` is called."""
        if not self._waiting:
            return None
        if not self.in_flight or self._rows >= self.max_rows:
            return AT_ONCE
        if self.in_flight >= self.max_in_flight:
            return None if self._urgent == math.inf else self._urgent
        if self._released:
            return AT_ONCE
        return min(self._urgent, self._waiting[0].since + self.window)

    def take(self, now: float) -> list[list[T]]:
        """
        What is to be sent now, each list together; it counts as in flight from here on.

        Args:
            now: Not before what `due` says, or there is nothing to send.
        """
        taken = []
        while (due := self.due()) is not None and due <= now:
            taken.append(self._pop())
        return taken

    def _pop(self) -> list[T]:
        items: list[T] = []
        rows = 0
        while self._waiting and rows + self._waiting[0].rows <= self.max_rows:
            waiting = self._waiting.popleft()
            rows += waiting.rows
            items.append(waiting.item)
        self.in_flight += 1
        self._left(rows)
        return items

    def _left(self, rows: int) -> None:
        self._rows -= rows
        if self._urgent != math.inf:
            self._urgent = min((waiting.urgent for waiting in self._waiting), default=math.inf)
        if not self._waiting:
            self._released = False
