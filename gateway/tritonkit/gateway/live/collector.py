"""Counts what goes through one worker, second by second."""

from __future__ import annotations

from collections import Counter, deque

from tritonkit.gateway.live.document import Recent
from tritonkit.gateway.live.sample import Sample
from tritonkit.gateway.passed import Passed

__all__ = ["RECENT", "Collector"]

RECENT = 50
"""Requests that the page shows."""

_LONGEST = 120
"""Characters of what a caller chose freely."""

_MOST_ARMS = 1_000

_MOST_SECONDS = 120
"""Samples that wait for a file that cannot be written; what is older is added to the next."""


class Collector:
    """
    Observes the requests of one event loop. Seconds come as arguments.

    Args:
        worker: Number of the process.
    """

    def __init__(self, worker: int = 0) -> None:
        self._worker = worker
        self._sample = Sample()
        self._done: deque[tuple[int, Sample]] = deque()
        self._recent: deque[Passed] = deque(maxlen=RECENT)
        self.arms: Counter[tuple[str, str]] = Counter()
        """Requests by experiment and arm, since the start."""

    def observe(self, passed: Passed) -> None:
        """One request went through; quick, and raises nothing."""
        self._sample.count(passed)
        self._recent.append(passed)
        for arm in passed.arms:
            if arm in self.arms or len(self.arms) < _MOST_ARMS:
                self.arms[arm] += 1

    def tick(self, now: float, in_flight: float, seconds: float = 1.0) -> None:
        """
        A second is over.

        Args:
            now: Seconds since 1970. A clock that was set back, or on, takes nothing away.
            in_flight: Requests that wait for their answers.
            seconds: How long it was.
        """
        self._sample.in_flight = in_flight * seconds
        self._done.append((int(now), self._sample))
        self._sample = Sample()
        while len(self._done) > _MOST_SECONDS:
            _, oldest = self._done.popleft()
            self._done[0][1].merge(oldest)

    def waiting(self) -> list[Sample]:
        """What could not be written yet."""
        return [sample for _, sample in self._done]

    def take(self) -> list[tuple[int, Sample]]:
        """The samples of seconds that are over, by second; they are the caller's now."""
        taken = list(self._done)
        self._done.clear()
        return taken

    def give_back(self, taken: list[tuple[int, Sample]]) -> None:
        """They could not be written; they are taken again next time."""
        self._done.extendleft(reversed(taken[-_MOST_SECONDS:]))

    def recent(self) -> list[Recent]:
        """The last requests, the newest first, without anything of what they said."""
        return [_shown(passed, self._worker) for passed in reversed(self._recent)]


def _shown(passed: Passed, worker: int) -> Recent:
    return {
        "at": passed.at,
        "seconds": passed.seconds,
        "route": passed.route,
        "model": passed.model[:_LONGEST],
        "version": passed.version[:_LONGEST],
        "tenant": passed.tenant,
        "id": passed.id[:_LONGEST],
        "rows": passed.rows,
        "status": passed.status,
        "error": passed.error,
        "origins": dict(passed.origins),
        "tier": passed.tier,
        "arms": [list(arm) for arm in passed.arms],
        "attempts": passed.attempts,
        "cost": passed.cost,
        "degraded": passed.degraded[:_LONGEST],
        "worker": worker,
    }
