"""What the answers of a bandit's arms have earned, from the events of a log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable

from tritonkit.client.experiments.events import Answer, Event, Outcome
from tritonkit.client.experiments.question import Aggregate, Direction
from tritonkit.client.layers.split.known import Known
from tritonkit.client.statistics.moments import Moments
from tritonkit.client.statistics.thompson import BetaPosterior, NormalPosterior, Posterior

__all__ = ["ROOM", "Pulls"]

ROOM = 50_000
"""Answers that wait at a time: some 20 MB. Of more, a sample waits."""

EARLY = 10_000
"""Outcomes that are remembered though their answer is not known yet."""

_ALL = 1 << 32


class _Pull:
    """An answer that waits for its outcomes."""

    __slots__ = ("arm", "at", "failed", "nonzero", "outcomes", "total")

    def __init__(self, arm: str, at: float, *, failed: bool) -> None:
        self.arm = arm
        self.at = at
        self.failed = failed
        self.outcomes = 0
        self.total = 0.0
        self.nonzero = False

    def add(self, value: float) -> None:
        self.outcomes += 1
        self.total += value
        self.nonzero = self.nonzero or value != 0


class Pulls:
    """
    The rewards of each arm. It reads no clock: the same events give the same rewards.

    An answer counts once the log is *delay* further, with the outcomes that were there
    by then. Until then it counts neither as a failure nor, where its outcome came
    early, as a success: an arm that was used much of late looks neither worse nor better.

    Where more than *room* answers wait, a sample of them goes on to, by their ids and
    so alike in all arms.

    Args:
        experiment: Its name.
        version: Answers of others do not count.
        arms: That take part.
        outcome: Name of the outcome.
        delay: Seconds.
        aggregate: Of the outcomes of an answer.
        better: Which way is.
        room: For answers that wait.
    """

    def __init__(
        self,
        experiment: str,
        version: str,
        arms: Collection[str],
        outcome: str,
        *,
        delay: float,
        aggregate: Aggregate = "any",
        better: Direction = "higher",
        room: int = ROOM,
    ) -> None:
        self._experiment = experiment
        self._version = version
        self._outcome = outcome
        self._delay = delay
        self._aggregate = aggregate
        self._lower = better == "lower"
        self._room = room
        self._rewards = {arm: Moments() for arm in arms}
        # A dict would look for its first key past all that were taken out.
        self._waiting: OrderedDict[str, _Pull] = OrderedDict()
        self._early: Known[str, list[float]] = Known(EARLY)
        self._sampled = _ALL
        self.time = -float("inf")
        """Of the latest answer, in seconds since 1970."""

    @property
    def arms(self) -> list[str]:
        """That take part."""
        return list(self._rewards)

    @property
    def counted(self) -> dict[str, int]:
        """Rewards by arm."""
        return {arm: moments.n for arm, moments in self._rewards.items()}

    @property
    def waiting(self) -> int:
        """Answers whose outcomes may still come."""
        return len(self._waiting)

    def add(self, events: Iterable[Event]) -> None:
        """Take what the log has next."""
        for event in events:
            if isinstance(event, Answer):
                self._answered(event)
            elif isinstance(event, Outcome) and event.name == self._outcome:
                self._came(event)

    def posteriors(self) -> list[Posterior]:
        """What is believed of each arm's reward, of which more is better, also of a bad outcome."""
        if self._aggregate != "any":
            return [NormalPosterior.of(moments) for moments in self._rewards.values()]
        found: list[Posterior] = []
        for moments in self._rewards.values():
            successes = round(moments.total)
            found.append(BetaPosterior(successes, moments.n - successes))
        return found

    def _answered(self, answer: Answer) -> None:
        if (answer.experiment, answer.version) != (self._experiment, self._version):
            return
        if answer.at > self.time:
            self.time = answer.at
            self._ripen()
            if self._sampled < _ALL and len(self._waiting) < self._room // 4:
                self._sampled *= 2
        if answer.arm not in self._rewards or _place(answer.answer) >= self._sampled:
            return
        pull = _Pull(answer.arm, answer.at, failed=bool(answer.error))
        for value in self._early.get(answer.answer) or ():
            pull.add(value)
        self._waiting[answer.answer] = pull
        if len(self._waiting) > self._room:
            self._sampled //= 2
            for id in [id for id in self._waiting if _place(id) >= self._sampled]:
                del self._waiting[id]

    def _ripen(self) -> None:
        # In the order in which they were written, which is that of time, about.
        while self._waiting:
            answer, pull = next(iter(self._waiting.items()))
            if pull.at > self.time - self._delay:
                return
            del self._waiting[answer]
            self._count(pull)

    def _came(self, outcome: Outcome) -> None:
        pull = self._waiting.get(outcome.answer)
        if pull is not None:
            pull.add(outcome.value)
        else:
            before = self._early.get(outcome.answer) or []
            self._early.put(outcome.answer, [*before, outcome.value])

    def _count(self, pull: _Pull) -> None:
        reward = self._reward(pull)
        if reward is not None:
            self._rewards[pull.arm] = self._rewards[pull.arm].add(reward)

    def _reward(self, pull: _Pull) -> float | None:
        if self._aggregate == "any":
            # An error is no good, also where an outcome is bad and did not come.
            return float(not pull.failed and pull.nonzero != self._lower)
        if pull.failed and (self._aggregate == "mean" or self._lower):
            return None
        if self._aggregate == "mean" and not pull.outcomes:
            return None
        value = pull.total / pull.outcomes if self._aggregate == "mean" else pull.total
        return -value if self._lower else value


def _place(answer: str) -> int:
    """32 of the random bits of an id."""
    return int(answer[:8], 16)
