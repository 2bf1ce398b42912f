"""The events of an experiment as arrays, joined, in an order of their own."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.experiments.events import Answer, Event, Exposure, Outcome

__all__ = ["Answers", "Collector", "Exposures", "Joined", "Outcomes"]

Index = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Exposures:
    """One entry an exposure; names are places in the lists of `Joined`."""

    version: Index
    arm: Index
    unit: Index
    at: Values


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """One entry an answer, by id; names are places in the lists of `Joined`."""

    version: Index
    arm: Index
    unit: Index
    cache: Index
    seconds: Values
    cost: Values
    failed: NDArray[np.bool_]
    degraded: NDArray[np.bool_]
    at: Values

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """One entry an outcome of a known answer, in the order of the answers."""

    answer: Index
    name: Index
    value: Values
    at: Values


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """
    All events of an experiment.

    The same, to the bit, in whatever order they were read.

    Args:
        versions: Names, sorted; likewise the others.
        arms: Names.
        units: Names.
        caches: Names.
        names: Of outcomes.
        exposures: The first of each unit and version.
        answers: Each id once.
        outcomes: Equal ones once.
        unknown: Outcomes of answers that are none of this experiment.
        bandits: The versions whose weights followed outcomes: they have propensities.
    """

    versions: list[str]
    arms: list[str]
    units: list[str]
    caches: list[str]
    names: list[str]
    exposures: Exposures
    answers: Answers
    outcomes: Outcomes
    unknown: int
    bandits: frozenset[str] = frozenset()


class _Names:
    """Numbers for names, in the order in which they come."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
        return self.places.setdefault(name, len(self.places))

    def sorted(self) -> tuple[list[str], Index]:
        """The names in order, and where each number is then."""
        names = sorted(self.places)
        order = np.empty(len(names), np.int64)
        for place, name in enumerate(names):
            order[self.places[name]] = place
        return names, order


class Collector:
    """
    Takes events page by page, in any order.

    Keeps about 60 bytes an answer and 40 an outcome, and the names of units; joined they
    take some times that. All that is computed of them is exact, quantiles too, and outcomes
    may come before their answers.
    Outcomes of other experiments cannot be told until the end, and are kept as well.
    """

    def __init__(self) -> None:
        self._versions, self._arms, self._units = _Names(), _Names(), _Names()
        self._caches, self._names = _Names(), _Names()
        self._exposed: list[array[Any]] = [array(kind) for kind in "iiid"]
        self._ids = bytearray()
        self._answered: list[array[Any]] = [array(kind) for kind in "iiiiddbd"]
        self._of = bytearray()
        self._came: list[array[Any]] = [array(kind) for kind in "idd"]
        self._bandits: set[str] = set()

    def add(self, events: Iterable[Event]) -> None:
        """Take some more."""
        versions, arms, units, caches = self._versions, self._arms, self._units, self._caches
        version, arm, unit, cache, seconds, cost, flags, at = (c.append for c in self._answered)
        name, value, came = (column.append for column in self._came)
        for event in events:
            kind = type(event)
            if kind is Answer:
                assert isinstance(event, Answer)
                self._ids += bytes.fromhex(event.answer)
                version(versions[event.version])
                arm(arms[event.arm])
                unit(units[event.unit])
                cache(caches[event.cache])
                seconds(event.seconds)
                cost(event.cost)
                flags(bool(event.error) + 2 * bool(event.degraded))
                at(event.at)
                if event.propensity is not None:
                    self._bandits.add(event.version)
            elif kind is Outcome:
                assert isinstance(event, Outcome)
                self._of += bytes.fromhex(event.answer)
                name(self._names[event.name])
                value(event.value)
                came(event.at)
            elif kind is Exposure:
                assert isinstance(event, Exposure)
                row = (versions[event.version], arms[event.arm], units[event.unit], event.at)
                for column, entry in zip(self._exposed, row, strict=True):
                    column.append(entry)
                if event.propensity is not None:
                    self._bandits.add(event.version)

    def joined(self) -> Joined:
        """What they are together."""
        versions, version_of = self._versions.sorted()
        arms, arm_of = self._arms.sorted()
        units, unit_of = self._units.sorted()
        caches, cache_of = self._caches.sorted()
        names, name_of = self._names.sorted()
        answers, ids = self._answers(version_of, arm_of, unit_of, cache_of)
        outcomes, unknown = self._outcomes(ids, name_of)
        return Joined(
            versions=versions,
            arms=arms,
            units=units,
            caches=caches,
            names=names,
            exposures=self._exposures(version_of, arm_of, unit_of),
            answers=answers,
            outcomes=outcomes,
            unknown=unknown,
            bandits=frozenset(self._bandits),
        )

    def _exposures(self, version_of: Index, arm_of: Index, unit_of: Index) -> Exposures:
        version, arm, unit, at = (np.array(column) for column in self._exposed)
        version, arm, unit = version_of[version], arm_of[arm], unit_of[unit]
        order = np.lexsort((arm, at, unit, version))
        version, arm, unit, at = version[order], arm[order], unit[order], at[order]
        first = _first(version, unit)
        return Exposures(version[first], arm[first], unit[first], at[first])

    def _answers(
        self, version_of: Index, arm_of: Index, unit_of: Index, cache_of: Index
    ) -> tuple[Answers, NDArray[Any]]:
        ids = np.frombuffer(bytes(self._ids), "V16").view("S16")
        version, arm, unit, cache, seconds, cost, flags, at = map(np.array, self._answered)
        order = np.lexsort((seconds, at, ids))
        ids = ids[order]
        order = order[_first(ids)]
        ids = ids[_first(ids)]
        flags = flags[order]
        answers = Answers(
            version=version_of[version[order]],
            arm=arm_of[arm[order]],
            unit=unit_of[unit[order]],
            cache=cache_of[cache[order]],
            seconds=seconds[order],
            cost=cost[order],
            failed=(flags & 1).astype(bool),
            degraded=(flags & 2).astype(bool),
            at=at[order],
        )
        return answers, ids

    def _outcomes(self, ids: NDArray[Any], name_of: Index) -> tuple[Outcomes, int]:
        of = np.frombuffer(bytes(self._of), "V16").view("S16")
        name, value, at = map(np.array, self._came)
        answer = np.searchsorted(ids, of) if len(ids) else np.zeros(len(of), np.int64)
        known = np.zeros(len(of), np.bool_)
        if len(ids):
            known = ids[np.minimum(answer, len(ids) - 1)] == of
        answer, name = answer[known], name_of[name[known]]
        value, at = value[known], at[known]
        order = np.lexsort((value, at, name, answer))
        answer, name, value, at = answer[order], name[order], value[order], at[order]
        first = _first(answer, name, value, at)
        unknown = len(of) - int(known.sum())
        return Outcomes(answer[first], name[first], value[first], at[first]), unknown


def _first(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Of sorted rows, which differ from the one before."""
    new = np.zeros(len(columns[0]), np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new
