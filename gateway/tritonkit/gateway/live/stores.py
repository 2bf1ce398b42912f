"""Whether the stores of caches answer, from what they count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tritonkit.client.readings import Reading
from tritonkit.gateway.live.document import Store

__all__ = ["Stores"]

SILENT = 3
"""Looks with failures and no answer, after which a store is down; one alone is a slow moment."""

_FAILED = ("errors", "timeouts")
_ANSWERED = ("hits", "misses", "written")


class Stores:
    """Compares what a worker's stores count with what they counted before."""

    def __init__(self) -> None:
        self._failed: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()

    def look(self, readings: Iterable[Reading]) -> list[Store]:
        """
        Each store, and whether it answers; one that nobody asked is as it was.

        Args:
            readings: Of all layers, now.
        """
        failed: Counter[str] = Counter()
        answered: Counter[str] = Counter()
        for reading in readings:
            if reading.name == "store_events":
                name, event = reading.labels["store"], reading.labels["event"]
                failed[name] += int(reading.value) * (event in _FAILED)
                answered[name] += int(reading.value) * (event in _ANSWERED)
        for name in failed:
            if answered[name] > self._answered[name]:
                self._silent[name] = 0
            elif failed[name] > self._failed[name]:
                self._silent[name] += 1
        self._failed, self._answered = failed, answered
        return [{"store": name, "up": self._silent[name] < SILENT} for name in sorted(failed)]
