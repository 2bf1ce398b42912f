"""What the parts of a stack tell of themselves, for whoever watches."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple
from weakref import WeakSet

if TYPE_CHECKING:
    from tritonkit.client.route import Route

__all__ = ["Counts", "Inside", "Reading", "models_of", "readings"]

MAX_KEYS = 1_000
"""Whoever asks for models that do not exist must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One number that a layer or a transport tells of itself.

    Numbers of the same name and labels, of several parts or several event loops, are
    added: a state is told as how many things are in it.

    Args:
        name: Such as "retries", without a prefix.
        value: Of now; a counter only grows.
        labels: What tells it from others of that name. Never what a caller chose freely,
            but for "model", of which only names that have answered are shown.
        kind: "counter" or "gauge".
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["counter", "gauge"] = "counter"


class Inside(NamedTuple):
    """
    A way on which a layer sends requests, with what stands on it.

    Args:
        label: What such ways are: "tier" or "arm".
        name: Of this one, as traces have it.
        route: Its layers and its server.
    """

    label: str
    name: str
    route: Route


def readings(parts: Iterable[object]) -> Iterator[Reading]:
    """
    What *parts* tell, and whatever stands on the ways inside them, labelled with the way.

    Args:
        parts: Layers and transports; anything that tells nothing is passed over.
    """
    yield from _readings(parts, {}, set())


def _readings(
    parts: Iterable[object], where: Mapping[str, str], seen: set[int]
) -> Iterator[Reading]:
    for part in parts:
        # One part may stand on several ways; it is what it is only once.
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        observe = getattr(part, "observe", None)
        for reading in () if observe is None else observe():
            if where:
                labels = {**where, **reading.labels}
                yield Reading(reading.name, reading.value, labels, reading.kind)
            else:
                yield reading
        inside = getattr(part, "inside", None)
        for label, name, route in () if inside is None else inside():
            there = {**where, label: name}
            yield from _readings((*route.layers, route.server), there, seen)


def models_of(parts: Iterable[object]) -> Iterator[str]:
    """The models that ways inside *parts* ask, where they are others than the caller's."""
    for part in parts:
        inside = getattr(part, "inside", None)
        for _, _, route in () if inside is None else inside():
            if route.model:
                yield route.model
            yield from models_of(route.layers)


class Counts:
    """Counters of a layer, by model; from any thread, and through a fork."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._counts: Counter[tuple[str, str]] = Counter()
        self._models: set[str] = set()
        # Of a kind that its holder may take again: a coroutine that is thrown away is ended by
        # the garbage collector, wherever that happens to run.
        self._lock = threading.RLock()
        _all.add(self)

    def add(self, name: str, model: str = "", by: int = 1) -> None:
        """It happened, *by* times."""
        with self._lock:
            if model not in self._models:
                if len(self._models) >= MAX_KEYS:
                    model = "other"
                self._models.add(model)
            self._counts[name, model] += by

    def of(self, name: str) -> int:
        """How often it happened, to any model."""
        with self._lock:
            return sum(count for (one, _), count in self._counts.items() if one == name)

    def observe(self, prefix: str = "") -> Sequence[Reading]:
        """One for each name and model."""
        with self._lock:
            counts = dict(self._counts)
        models = {model for _, model in counts}
        return [
            Reading(f"{prefix}{name}", counts.get((name, model), 0), {"model": model})
            for name in self._names
            for model in sorted(models)
        ]


_all: WeakSet[Counts] = WeakSet()


def _after_fork() -> None:
    """Another thread of the parent may have held the lock; that thread is not here."""
    for counts in _all:
        counts._lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
