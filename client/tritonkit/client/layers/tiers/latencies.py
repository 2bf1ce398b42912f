"""How long calls have taken lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from math import ceil
from time import monotonic

__all__ = ["Latencies"]

MAX_KINDS = 1_000
"""Whoever asks for models that do not exist must not fill the memory."""


class Latencies:
    """
    Percentiles of recent calls, by kind of call; one thread at a time.

    Args:
        size: Calls of a kind that are remembered.
        least: Fewer tell nothing.
        window: Seconds for which a call is remembered, so that what was slow
            once is tried again.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        size: int = 200,
        least: int = 20,
        window: float = 60.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._size = size
        self._least = least
        self._window = window
        self._clock = clock
        self._calls: dict[Hashable, deque[tuple[float, float]]] = {}

    def record(self, kind: Hashable, seconds: float) -> None:
        """Remember that a call took so long, or longer where its time ran out."""
        calls = self._calls.get(kind)
        if calls is None:
            if len(self._calls) >= MAX_KINDS:
                del self._calls[next(iter(self._calls))]
            calls = self._calls[kind] = deque(maxlen=self._size)
        calls.append((self._clock(), seconds))

    def percentile(self, kind: Hashable, share: float) -> float | None:
        """The seconds that *share* of the calls did not exceed; None if too few are known."""
        calls = self._calls.get(kind, deque())
        oldest = self._clock() - self._window
        while calls and calls[0][0] < oldest:
            calls.popleft()
        if not calls or len(calls) < self._least:
            return None
        seconds = sorted(call[1] for call in calls)
        return seconds[max(0, ceil(share * len(seconds)) - 1)]
