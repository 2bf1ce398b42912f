"""One of several endpoints: what is in flight there, how fast it answers, what is ill."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Container

from tritonkit.client.transports.endpoints.health import Health, HealthPolicy
from tritonkit.client.transports.endpoints.outcome import Outcome

__all__ = ["Attempt", "Member", "ModelKey"]

ModelKey = tuple[str, str]
"""A model's name and the version asked for; empty for the server's choice."""

_HALF_LIFE = 2.0
"""Seconds after which an observed latency counts half: a slow endpoint is tried again."""

_FORGOTTEN = 5.0
"""Seconds after which it says nothing: what was slow once, as when it started, is tried again."""

_MODELS = 256
"""Models that are remembered of an endpoint, those asked for last."""


class Attempt:
    """A call that is in flight at an endpoint; or a question, which the model does not answer."""

    __slots__ = ("began", "key", "member", "question")

    def __init__(self, member: Member, key: ModelKey, began: float, question: bool) -> None:
        self.member, self.key, self.began, self.question = member, key, began, question


class _Latency:
    """A mean of seconds, in which old observations fade."""

    __slots__ = ("_at", "_seconds")

    def __init__(self, seconds: float, now: float) -> None:
        self._seconds, self._at = seconds, now

    def observe(self, seconds: float, now: float) -> None:
        # One slow answer is not yet a slow endpoint; what is in flight for long is.
        weight = 0.8 * math.pow(0.5, max(0.0, now - self._at) / _HALF_LIFE)
        self._seconds = weight * self._seconds + (1 - weight) * seconds
        self._at = now

    def seconds(self, now: float) -> float | None:
        age = max(0.0, now - self._at)
        if age >= _FORGOTTEN:
            return None
        return self._seconds * math.pow(0.5, age / _HALF_LIFE)


class _OnModel:
    """What is known of one model on an endpoint."""

    __slots__ = ("absent", "health", "latency")

    def __init__(self, policy: HealthPolicy) -> None:
        self.health = Health(policy)
        self.absent = False
        self.latency: _Latency | None = None


class Member:
    """
    The state of one endpoint. Seconds come as arguments.

    Args:
        name: What it is called, such as its URL.
        policy: What counts as ill.
        patience: Seconds of silence that make it suspect.
    """

    def __init__(self, name: str, policy: HealthPolicy, *, patience: float) -> None:
        self.name = name
        self.health = Health(policy)
        self.attempts: dict[Attempt, None] = {}
        self.calls = self.failures = 0
        self._policy, self._patience = policy, patience
        self._models: OrderedDict[ModelKey, _OnModel] = OrderedDict()
        self._waiting_since: float | None = None
        self._slowest = 0.0

    def __repr__(self) -> str:
        return f"Member({self.name!r})"

    @property
    def outstanding(self) -> int:
        """Calls in flight."""
        return len(self.attempts)

    def begin(self, key: ModelKey, now: float, *, question: bool = False) -> Attempt:
        """A call goes there; `end` ends it."""
        attempt = Attempt(self, key, now, question)
        self.attempts[attempt] = None
        self.calls += not question
        if self._waiting_since is None:
            self._waiting_since = now
        return attempt

    def end(self, attempt: Attempt, outcome: Outcome, now: float) -> None:
        """The call ended; a second time does nothing."""
        if attempt not in self.attempts:
            return
        del self.attempts[attempt]
        on = self._on(attempt.key)
        if outcome in (Outcome.UNREACHABLE, Outcome.FAILED):
            self.failures += not attempt.question
        if outcome is Outcome.UNREACHABLE:
            # Refused at once is not silence.
            self._waiting_since = now if self.attempts else None
            if not self._stale(attempt, self.health):
                self.health.failed(now)
            return
        if outcome is Outcome.NEUTRAL:
            return
        if outcome is Outcome.FAILED and now - attempt.began >= self._patience:
            # May be a deadline that passed in silence.
            if not self._stale(attempt, on.health):
                on.health.failed(now)
            return
        self._heard(now)
        if not self._stale(attempt, self.health):
            self.health.succeeded(now)
        if outcome is Outcome.ABSENT:
            on.absent = True
            on.health.eject(now)
        elif self._stale(attempt, on.health):
            return
        elif outcome is Outcome.FAILED:
            on.health.failed(now)
        elif not attempt.question:
            if on.absent:
                on.absent = False
                on.health.take_back(now)
            on.health.succeeded(now)
            seconds = now - attempt.began
            self._slowest = max(seconds, self._slowest / 2)
            if on.latency is None:
                on.latency = _Latency(seconds, now)
            else:
                on.latency.observe(seconds, now)

    def forget_calls(self) -> None:
        """What was in flight is of another event loop."""
        self.attempts.clear()
        self._waiting_since = None

    def lost(self, now: float) -> list[Attempt]:
        """It answers nothing, nor a probe: out; what is in flight there, which will not end."""
        self.health.eject(now)
        self._waiting_since = None
        return list(self.attempts)

    def suspect(self, now: float) -> bool:
        """Whether calls wait there and nothing has come for longer than is usual."""
        since = self._waiting_since
        patience = max(self._patience, 4 * self._slowest)
        return since is not None and not self.health.out and now - since >= patience

    def waiting(self) -> bool:
        """Whether something was asked and nothing came yet."""
        return self._waiting_since is not None

    def vouched(self, now: float) -> None:
        """A probe was answered: it is silent because it works."""
        self._heard(now)

    def latency(self, key: ModelKey, now: float) -> float | None:
        """Seconds that an answer takes lately; None where none is known."""
        on = self._models.get(key)
        return None if on is None or on.latency is None else on.latency.seconds(now)

    def taken(self, key: ModelKey, now: float) -> float:
        """Seconds that the oldest call takes already; an answer takes at least that."""
        oldest = next(iter(self.attempts), None)
        if oldest is None or oldest.key != key or oldest.question:
            return 0.0
        return now - oldest.began

    def has(self, key: ModelKey) -> bool:
        """Whether the model is there, as far as is known."""
        on = self._models.get(key)
        return on is None or not on.absent

    def out_since(self, key: ModelKey) -> float | None:
        """Since when it is out for this model; None where it is in."""
        if self.health.out:
            return self.health.out_since
        on = self._models.get(key)
        return None if on is None else on.health.out_since

    def absent(self) -> tuple[str, ...]:
        """Names of the models that it does not have."""
        return tuple(sorted({key[0] for key, on in self._models.items() if on.absent}))

    def due(self, now: float, used: Container[ModelKey]) -> list[ModelKey | None]:
        """What is to be probed: None for the endpoint itself, and models that are *used*."""
        if self.health.out:
            return [None] if self.health.probe_due(now) else []
        found: list[ModelKey | None] = [None] if self.suspect(now) else []
        found += [
            key for key, on in self._models.items() if key in used and on.health.probe_due(now)
        ]
        return found

    def ill(self) -> bool:
        """Whether it, or a model on it, is out."""
        return self.health.out or any(on.health.out for on in self._models.values())

    def probed(self, key: ModelKey, well: bool, now: float) -> None:
        """What a probe of a model found."""
        on = self._on(key)
        on.health.probed(well, now)
        if not on.health.out:
            on.absent = False

    def _heard(self, now: float) -> None:
        self._waiting_since = now if self.attempts else None

    @staticmethod
    def _stale(attempt: Attempt, health: Health) -> bool:
        """Whether a call tells of a time before the last return."""
        return attempt.began < health.returned

    def _on(self, key: ModelKey) -> _OnModel:
        on = self._models.get(key)
        if on is None:
            on = self._models[key] = _OnModel(self._policy)
            if len(self._models) > _MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(key)
        return on
