"""A sweep: every point of a grid measured under its settings, whatever happens to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol, TypeAlias

from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.session import NothingMeasured
from tritonkit.bench.sweep.ceiling import Ceiling
from tritonkit.bench.sweep.grid import Grid, Group
from tritonkit.bench.sweep.journal import Entry, Journal
from tritonkit.bench.sweep.override import Superseded
from tritonkit.errors import RequestError, ServerError, ServerUnavailable

__all__ = ["Measure", "Outcome", "Settings", "sweep"]

Measure: TypeAlias = Callable[[Point], Awaitable[Measurement]]
"""Measures one point; the settings run already."""

_PATIENCE = 60.0
"""Seconds that a server may be away: long enough to be started again by whoever watches it."""
_LOOK = 0.5
_GONE = ("NotConnected", "ServerUnavailable")


class Settings(Protocol):
    """What has a group's settings run on the server."""

    async def apply(self, settings: Mapping[str, str]) -> int:
        """Have them run, and nothing else changed; how many models were loaded."""

    async def check(self) -> bool:
        """Whether they still run; False where the server was started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What became of one point in one round.

    Args:
        entry: The measurement, or why there is none.
        resumed: Whether it was in the journal.
        skipped: Whether nothing was tried, since a lighter load was too much already.
        reloaded: Seconds that applying the settings took before it.
        seconds: Seconds that measuring took.
    """

    entry: Entry
    resumed: bool = False
    skipped: bool = False
    reloaded: float = 0.0
    seconds: float = 0.0


@dataclass(slots=True)
class _Group:
    """Where one group is in one round."""

    group: Group
    round: int
    measured: list[Measurement] = field(default_factory=list)


async def sweep(
    grid: Grid,
    measure: Measure,
    settings: Settings,
    *,
    journal: Journal | None = None,
    rounds: int = 1,
    ceiling: Ceiling | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    patience: float = _PATIENCE,
) -> AsyncIterator[Outcome]:
    """
    Measure every point that is not in the journal, in each round.

    Settings that the server refuses make their points fail; the sweep goes on. A
    server that goes away is waited for; the point is measured again, since what came
    before is no measurement of a steady state. The second round runs backwards, so that
    a machine that becomes slower does not always do so to the same points.

    Args:
        grid: The points.
        measure: Measures one.
        settings: Applies a group's.
        journal: Where outcomes are written, and which ones are done.
        rounds: How often each point is measured.
        ceiling: From which load on heavier ones tell nothing new.
        interrupted: Whether to end after this point; what was cut short is dropped.
        patience: Seconds that a server may be away.

    Raises:
        ServerUnavailable: If the server does not come back.
        Superseded: If somebody else loaded a model of it meanwhile.
        ConfigError: If the server does not let its models be loaded, or the journal
            cannot be written.
    """
    for number in range(rounds):
        groups: Sequence[Group] = grid.groups if number % 2 == 0 else grid.groups[::-1]
        for group in groups:
            state = _Group(group, number)
            async for outcome in _group(
                state, measure, settings, journal, ceiling, interrupted, patience
            ):
                if journal is not None and not outcome.resumed and not outcome.skipped:
                    journal.add(outcome.entry)
                yield outcome
            if interrupted():
                return


async def _group(
    state: _Group,
    measure: Measure,
    settings: Settings,
    journal: Journal | None,
    ceiling: Ceiling | None,
    interrupted: Callable[[], bool],
    patience: float,
) -> AsyncIterator[Outcome]:
    applied, refusal, reloaded = False, "", 0.0
    for point in state.group.points:
        if interrupted():
            return
        done = None if journal is None else journal.done(point, state.round)
        if done is not None and done.measurement is not None:
            state.measured.append(done.measurement)
            yield Outcome(entry=done, resumed=True)
            continue
        if ceiling is not None and (reason := ceiling.reached(state.measured, point)):
            yield Outcome(entry=_failed(point, state.round, reason), skipped=True)
            continue
        if not applied and not refusal:
            started = monotonic()
            answer = await _apply(settings, state.group, interrupted, patience)
            if answer is None:
                return
            refusal = answer
            applied, reloaded = not refusal, monotonic() - started
        if refusal:
            yield Outcome(entry=_failed(point, state.round, refusal), reloaded=reloaded)
            continue
        started = monotonic()
        entry = await _measured(point, state, measure, settings, interrupted, patience)
        if entry is None:
            return
        if entry.measurement is not None:
            state.measured.append(entry.measurement)
        yield Outcome(entry=entry, reloaded=reloaded, seconds=monotonic() - started)
        reloaded = 0.0


async def _measured(
    point: Point,
    state: _Group,
    measure: Measure,
    settings: Settings,
    interrupted: Callable[[], bool],
    patience: float,
) -> Entry | None:
    """None where it was interrupted."""
    for _ in range(2):
        reason = ""
        try:
            measurement = await measure(point)
            if interrupted() or measurement.interrupted:
                return None
            if await settings.check():
                if not _all_gone(measurement):
                    return Entry(point=point, round=state.round, measurement=measurement)
                reason = "no request reached the server"
            else:
                reason = "the server was started again meanwhile"
        except NothingMeasured:
            return None
        except ServerUnavailable as error:
            reason = str(error)
        except Superseded:
            raise
        except (RequestError, ServerError) as error:
            return _failed(point, state.round, str(error))
        if interrupted():
            return None
        refusal = await _apply(settings, state.group, interrupted, patience)
        if refusal is None:
            return None
        if refusal:
            return _failed(point, state.round, refusal)
    return _failed(point, state.round, f"twice: {reason}")


async def _apply(
    settings: Settings, group: Group, interrupted: Callable[[], bool], patience: float
) -> str | None:
    """Why the server refuses the settings; empty where they run, None where interrupted."""
    until = monotonic() + patience
    while True:
        try:
            await settings.apply(group.settings)
            return ""
        except Superseded:
            raise
        except ServerError as error:
            return str(error)
        except RequestError as error:
            if monotonic() >= until:
                raise ServerUnavailable(
                    f"the server did not come back within {patience:.0f} seconds: {error}"
                ) from error
        if interrupted():
            return None
        await asyncio.sleep(_LOOK)


def _all_gone(measurement: Measurement) -> bool:
    return (
        not measurement.requests
        and bool(measurement.failures)
        and all(failure.kind in _GONE for failure in measurement.failures)
    )


def _failed(point: Point, round_: int, reason: str) -> Entry:
    return Entry(point=point, round=round_, failure=reason)
