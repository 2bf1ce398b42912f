"""What guards know of one version of an experiment: what each unit came to so far."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np

from tritonkit.client.experiments.events import Answer, Event, Exposure, Outcome
from tritonkit.client.experiments.guard import Guard, Harm, described, harms
from tritonkit.client.experiments.question import BUILT_IN
from tritonkit.client.statistics.moments import Moments

__all__ = ["Guarded"]

REMEMBERED = 200_000
"""Answers whose outcomes are still known to be theirs: the last so many at least."""


class Guarded:
    """
    Takes events as they come, and looks at what they come to.

    Keeps some 200 bytes a unit, and the last answers if a guard is for an outcome. An
    outcome that comes later, or before its answer is read, does not count here; the report
    has it.

    Args:
        guards: What to look at.
        version: Of the experiment; events of others are left out.
        arms: Their names, the control first.
    """

    def __init__(self, guards: Sequence[Guard], version: str, arms: Sequence[str]) -> None:
        self.version = version
        self._guards, self._arms = tuple(guards), list(arms)
        self._places = {arm: place for place, arm in enumerate(arms)}
        self._units: dict[str, int] = {}
        self._arm: array[int] = array("b")
        self._columns = [[array("d") for _ in range(3)] for _ in guards]
        self._outcomes = any(guard.metric not in BUILT_IN for guard in guards)
        self._new: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Take some more."""
        for event in events:
            if isinstance(event, Outcome):
                if self._outcomes:
                    self._outcome(event)
            elif event.version == self.version and event.arm in self._places:
                place = self._place(event)
                if isinstance(event, Answer):
                    self._answer(event, place)

    def harm(self) -> Harm | None:
        """The first that is found, if any is."""
        arm = np.frombuffer(self._arm, np.int8)
        arms = len(self._arms) - 1
        for guard, columns in zip(self._guards, self._columns, strict=True):
            sums, counts, some = (np.frombuffer(column) for column in columns)
            known = counts > 0 if guard.of_unit == "mean" else np.ones(len(arm), np.bool_)
            if guard.of_unit == "mean":
                value = sums / np.maximum(counts, 1)
            else:
                value = sums if guard.of_unit == "sum" else (some > 0).astype(np.float64)
            rate = bool(((value == 0) | (value == 1)).all())
            control = Moments.of(value[known & (arm == 0)])
            for place in range(1, len(self._arms)):
                treatment = Moments.of(value[known & (arm == place)])
                if harms(guard, treatment, control, rate=rate, arms=arms):
                    return described(guard, self._arms[place], treatment, control, rate=rate)
        return None

    def _place(self, event: Exposure | Answer) -> int:
        place = self._units.setdefault(event.unit, len(self._arm))
        if place == len(self._arm):
            self._arm.append(self._places[event.arm])
            for columns in self._columns:
                for column in columns:
                    column.append(0.0)
        return place

    def _answer(self, event: Answer, place: int) -> None:
        for number, guard in enumerate(self._guards):
            match guard.metric:
                case "errors":
                    self._count(number, place, float(bool(event.error)))
                case "degraded":
                    self._count(number, place, float(bool(event.degraded)))
                case "latency" if not event.error:
                    self._count(number, place, event.seconds)
                case "cost":
                    self._count(number, place, event.cost / 1e6)
                case "answers":
                    self._count(number, place, 1.0)
        if self._outcomes:
            if len(self._new) >= REMEMBERED:
                self._old, self._new = self._new, {}
            self._new[event.answer] = place

    def _outcome(self, event: Outcome) -> None:
        place = self._new.get(event.answer, self._old.get(event.answer))
        if place is None:
            return
        for number, guard in enumerate(self._guards):
            if guard.metric == event.name and guard.metric not in BUILT_IN:
                self._count(number, place, event.value)

    def _count(self, number: int, place: int, value: float) -> None:
        sums, counts, some = self._columns[number]
        sums[place] += value
        counts[place] += 1
        some[place] += value != 0
