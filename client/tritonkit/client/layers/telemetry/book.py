"""What is known of the calls so far: counted by labels, of which there are only so many."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Hashable, Mapping
from typing import TypeAlias

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.rows import count_rows
from tritonkit.client.layers.telemetry.labels import (
    MIXED,
    Labels,
    arms_label,
    error_kind,
    labels_of,
)
from tritonkit.client.layers.telemetry.names import OTHER, Names
from tritonkit.client.layers.tiers.constant import CONSTANT
from tritonkit.client.spent import Spent
from tritonkit.client.statistics.latency import LatencySketch
from tritonkit.client.trace import MODEL, Trace
from tritonkit.client.types import InferRequest

__all__ = ["Answers", "Book"]

MAX_SERIES = 1_000
"""Combinations of labels; 10 kB each."""

_MAX_FORMS = 4_096
"""Traces that are told apart without being looked at."""

_FEW_ROWS = 16
"""Of a trace that is told apart row by row; of a larger one each name's share is enough."""

_Form: TypeAlias = Hashable


class Answers:
    """Those of one combination of labels."""

    __slots__ = ("attempts", "cost", "latencies", "rows")

    def __init__(self) -> None:
        self.latencies = LatencySketch()
        self.rows = 0
        self.attempts = 0
        self.cost = 0

    def copy(self) -> Answers:
        """The same, as it is now."""
        made = Answers()
        made.latencies = self.latencies.copy()
        made.rows, made.attempts, made.cost = self.rows, self.attempts, self.cost
        return made


class _Seen:
    """What all answers with the same form of trace add to the counters."""

    __slots__ = ("answers", "calls", "degraded", "model", "origins", "rows", "tiers")

    def __init__(
        self,
        answers: Answers,
        model: str,
        origins: Mapping[str, int],
        tiers: Mapping[str, int],
        degraded: str,
    ) -> None:
        self.answers, self.model, self.origins, self.tiers = answers, model, origins, tiers
        self.rows = sum(origins.values())
        self.degraded = degraded
        self.calls = 0


class Book:
    """
    Counters and latencies of calls, from any thread.

    An answer is looked up by the form of its trace, which repeats; what the form says of
    rows and origins is added up when somebody reads.

    Args:
        models: Names that are shown in any case. Others are from their first answer on, so
            that nobody takes the room by asking for what does not exist.
        most: Values of each label.
    """

    def __init__(self, models: Collection[str], most: int) -> None:
        self.lock = fork_safe_lock()
        self.models = Names(models, most=most)
        self.tiers, self.arms = Names([MIXED], most=most), Names(most=most)
        self.origins = Names([MODEL, MIXED], most=most)
        self.reasons = Names(most=most)
        self.in_flight = 0
        self._seen: dict[_Form, _Seen] = {}
        self._answers: dict[Labels, Answers] = {}
        self._failures: dict[tuple[str, str, str], LatencySketch] = {}
        self._rows: Counter[tuple[str, str]] = Counter()
        self._tiers: Counter[tuple[str, str]] = Counter()
        self._degraded: Counter[tuple[str, str]] = Counter()
        self._thrown_away: deque[tuple[str, str, str, int]] = deque()
        self._crowded = 0

    def answered(
        self,
        request: InferRequest,
        trace: Trace,
        ns: int,
        *,
        waited: bool,
        spent: Spent | None = None,
    ) -> None:
        """
        One call was answered.

        Args:
            request: What was asked.
            trace: Of the answer.
            ns: How long it took.
            waited: Whether `begin` was told of it.
            spent: What failures took on the way, which the trace does not tell yet.
        """
        origins, tiers = trace.origins, trace.tiers
        form = (
            request.model,
            (origins if len(origins) <= _FEW_ROWS else _shares(origins)) or count_rows(request),
            tiers if len(tiers) <= _FEW_ROWS else _shares(tiers),
            trace.arms,
            trace.degraded,
        )
        with self.lock:
            seen = self._seen.get(form) or self._look(form, request, trace)
            seen.calls += 1
            answers = seen.answers
            answers.latencies.record(ns)
            if waited:
                self.in_flight -= 1
            attempts, cost = trace.attempts, trace.cost
            if spent is not None:
                attempts += spent.attempts
                cost += spent.cost
            if attempts:
                answers.attempts += attempts
            if cost:
                answers.cost += cost

    def begin(self) -> None:
        """One call waits for its answer."""
        with self.lock:
            self.in_flight += 1

    def failed(self, request: InferRequest, error: BaseException, ns: int) -> None:
        """A call that `begin` was told of has failed."""
        arms = () if request.spent is None else request.spent.arms
        failed = (request.model, error_kind(error), arms_label(arms), ns)
        if isinstance(error, GeneratorExit):
            # The garbage collector threw it away, perhaps while this thread holds the lock.
            self._thrown_away.append(failed)
            return
        with self.lock:
            self._fail(*failed)

    def refused(self, model: str, error: BaseException) -> None:
        """A call that nobody was told of has failed at once."""
        with self.lock:
            self.in_flight += 1
            self._fail(model, error_kind(error), "", 0)

    def answers(self) -> dict[Labels, Answers]:
        """A copy of what is known, by labels."""
        with self.lock:
            self._fold()
            found = list(self._answers.items())
        copies = {}
        for labels, answers in found:
            # One by one, so that no call waits for the copies of all.
            with self.lock:
                copies[labels] = answers.copy()
        return copies

    def failures(self) -> dict[tuple[str, str, str], LatencySketch]:
        """Seconds until they failed, by model, kind of error and arm."""
        with self.lock:
            while self._thrown_away:
                self._fail(*self._thrown_away.popleft())
            return {key: each.copy() for key, each in self._failures.items()}

    def rows_by_origin(self) -> dict[tuple[str, str], int]:
        """Rows by model and origin."""
        with self.lock:
            self._fold()
            return dict(self._rows)

    def rows_by_tier(self) -> dict[tuple[str, str], int]:
        """Rows by model and the route that answered, where there was a choice."""
        with self.lock:
            self._fold()
            return dict(self._tiers)

    def degraded(self) -> dict[tuple[str, str], int]:
        """Answers that are less than what was asked for, by model and reason."""
        with self.lock:
            self._fold()
            return dict(self._degraded)

    def overflows(self) -> int:
        """How often a label had no room for a value, or the book for a combination."""
        tables = (self.models, self.tiers, self.arms, self.origins, self.reasons)
        return sum(names.overflows for names in tables) + self._crowded

    def _look(self, form: _Form, request: InferRequest, trace: Trace) -> _Seen:
        if len(self._seen) >= _MAX_FORMS:
            self._fold()
            self._seen.clear()
        plain = labels_of(request, trace)
        # "fallback: accurate: DeadlineExceeded; stale" is a fallback.
        reason = trace.degraded.partition(";")[0].partition(":")[0].strip()
        labels = Labels(
            self._model(plain.model, reason),
            self.tiers.admit(plain.tier),
            self.arms.admit(plain.arm),
            self.origins.admit(plain.cache),
        )
        answers = self._answers.get(labels)
        if answers is None:
            if len(self._answers) >= MAX_SERIES:
                self._crowded += 1
                labels = Labels(OTHER, OTHER, OTHER, OTHER)
            answers = self._answers.setdefault(labels, Answers())
        rows = len(trace.origins) or count_rows(request)
        origins = _counted(self.origins, trace.origins or (MODEL,), rows)
        tiers = _counted(self.tiers, trace.tiers, rows)
        degraded = self.reasons.admit(reason)
        seen = _Seen(answers, labels.model, origins, tiers, degraded)
        self._seen[form] = seen
        return seen

    def _model(self, name: str, degraded: str) -> str:
        """Its label. What has an answer for any name at all is no model that answers."""
        if degraded == CONSTANT or name in self.models:
            return self.models.known(name)
        # What a constant answered in its place was another's, and is its own from now on.
        self._fold()
        self._seen.clear()
        return self.models.admit(name)

    def _fail(self, model: str, kind: str, arm: str, ns: int) -> None:
        self.in_flight -= 1
        key = (self.models.known(model), kind, self.arms.admit(arm))
        latencies = self._failures.get(key)
        if latencies is None:
            latencies = self._failures[key] = LatencySketch()
        latencies.record(ns)

    def _fold(self) -> None:
        for seen in self._seen.values():
            calls, seen.calls = seen.calls, 0
            if not calls:
                continue
            seen.answers.rows += calls * seen.rows
            for origin, count in seen.origins.items():
                self._rows[seen.model, origin] += calls * count
            for tier, count in seen.tiers.items():
                self._tiers[seen.model, tier] += calls * count
            if seen.degraded:
                self._degraded[seen.model, seen.degraded] += calls


def _shares(names: tuple[str, ...]) -> frozenset[tuple[str, int]]:
    return frozenset(Counter(names).items())


def _counted(known: Names, names: tuple[str, ...], rows: int) -> Counter[str]:
    """How many rows have each name: one that stands alone is that of all of them."""
    if len(names) == 1:
        return Counter({known.admit(names[0]): rows})
    return Counter(map(known.admit, names))
