"""The points of a sweep: settings times loads, in an order that loads models seldom."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tritonkit.bench.load.shape import Load
from tritonkit.bench.measurement import Point
from tritonkit.bench.sweep.settings import MODEL, canonical
from tritonkit.errors import ConfigError

__all__ = ["RELOAD_SECONDS", "Grid", "Group", "Skipped", "make_grid"]

RELOAD_SECONDS = 2.0
"""What loading a small model anew takes, for a plan; 1.4 s on the embedded server."""

_OF_THE_BATCHER = ("preferred_batch_size", "max_queue_delay")


@dataclass(frozen=True, slots=True)
class Group:
    """
    Points that share their settings.

    Args:
        settings: Texts by name.
        points: In the order of their loads.
    """

    settings: Mapping[str, str]
    points: tuple[Point, ...]

    @property
    def changes(self) -> bool:
        """Whether it changes the server's configuration."""
        return any(name != MODEL for name in self.settings)

    def __str__(self) -> str:
        return ", ".join(f"{name} {text}" for name, text in self.settings.items()) or "as it is"


@dataclass(frozen=True, slots=True)
class Skipped:
    """
    What is not measured.

    Args:
        what: The settings, or settings and load.
        reason: Why not.
    """

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Grid:
    """
    The plan of a sweep.

    Args:
        groups: In the order in which they are measured.
        skipped: Combinations that have no meaning.
    """

    groups: tuple[Group, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def points(self) -> Iterator[Point]:
        """All of them, in order."""
        return itertools.chain.from_iterable(group.points for group in self.groups)

    @property
    def size(self) -> int:
        """How many points there are."""
        return sum(len(group.points) for group in self.groups)

    @property
    def reloads(self) -> int:
        """How often a model is loaded, the last time to restore it."""
        changing = sum(group.changes for group in self.groups)
        return changing + (1 if changing else 0)

    def seconds(
        self, per_point: float, *, rounds: int = 1, reload: float = RELOAD_SECONDS
    ) -> float:
        """About how long it takes."""
        return rounds * (self.size * per_point + self.reloads * reload)


def make_grid(
    settings: Mapping[str, Sequence[str]],
    loads: Sequence[Load],
    *,
    batch_sizes: Sequence[int] = (1,),
    check: Callable[[Mapping[str, str], int], None] = lambda _settings, _batch_size: None,
    max_points: int | None = None,
) -> Grid:
    """
    Every combination that has a meaning.

    Loads change fastest, then batch sizes, since settings cost a reload; the model
    changes slowest, since with it the one before is restored.

    Args:
        settings: The values of each setting, as texts.
        loads: At least one.
        batch_sizes: Rows of a request; at least one.
        check: Raises ConfigError where settings, or a batch size with them, cannot be.
        max_points: More are refused.

    Raises:
        ConfigError: If a setting or a value does not exist, nothing is left, or there
            are more points than *max_points*.
    """
    values = {
        name: list(dict.fromkeys(canonical(name, text) for text in texts))
        for name, texts in sorted(settings.items(), key=lambda item: item[0] != MODEL)
    }
    groups: list[Group] = []
    skipped: list[Skipped] = []
    seen: list[Mapping[str, str]] = []
    for combination in itertools.product(*values.values()):
        chosen = _meaningful(dict(zip(values, combination, strict=True)))
        if chosen in seen:
            continue
        seen.append(chosen)
        points: list[Point] = []
        for batch_size in batch_sizes:
            try:
                check(chosen, batch_size)
            except ConfigError as error:
                what = f"{Group(chosen, ())}, batch size {batch_size}"
                skipped.append(Skipped(what, str(error)))
                continue
            points += [Point(load=load, batch_size=batch_size, settings=chosen) for load in loads]
        if points:
            groups.append(Group(chosen, tuple(points)))
    grid = Grid(tuple(groups), tuple(skipped))
    if not grid.size:
        reasons = dict.fromkeys(one.reason for one in skipped)
        raise ConfigError("none of these points can be measured: " + "; ".join(reasons))
    if max_points is not None and grid.size > max_points:
        raise ConfigError(
            f"these are {grid.size} points, more than {max_points}: give fewer values, "
            f"or --max-points {grid.size}."
        )
    return grid


def _meaningful(settings: dict[str, str]) -> dict[str, str]:
    """Without what has no meaning, so that such combinations are measured once."""
    if settings.get("dynamic_batching") != "off":
        return settings
    return {name: text for name, text in settings.items() if name not in _OF_THE_BATCHER}
