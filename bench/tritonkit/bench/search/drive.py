"""Runs a search: measures what it asks for, and tells it what came of that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from time import monotonic

from tritonkit.bench.load.shape import MAX_IN_FLIGHT, Open
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.schedule.poisson import Poisson
from tritonkit.bench.search.capacity import CapacitySearch, Probe
from tritonkit.bench.search.trial import Told, Trial
from tritonkit.bench.search.tune import Tuner
from tritonkit.bench.sweep.grid import Grid, Group
from tritonkit.bench.sweep.journal import Entry, Journal
from tritonkit.bench.sweep.sweep import Settings, sweep

__all__ = ["MeasureFor", "drive_capacity", "drive_tuner"]

MeasureFor = Callable[[Point, float], Awaitable[Measurement]]
"""Measures a point in a window of so many seconds; the settings run already."""


async def drive_tuner(
    tuner: Tuner,
    measure: MeasureFor,
    settings: Settings,
    *,
    journal: Journal | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = monotonic,
) -> AsyncIterator[Told]:
    """
    Take a tuner's trials, one after the other, to its end or the interrupt.

    A trial that is in the journal is not taken again: with the same candidates, seed
    and measurements a tuner asks for the same trials.

    Args:
        tuner: What to measure.
        measure: Measures it.
        settings: Has a point's settings run.
        journal: Where measurements are written before the next one begins.
        interrupted: Whether to end after this trial; what was cut short is dropped.
        clock: Seconds.

    Raises:
        ServerUnavailable: If the server goes away and does not come back.
        ConfigError: If the server does not let its models be loaded.
    """
    times: dict[int, int] = {}
    while not interrupted() and (trial := tuner.ask()) is not None:
        number = times.get(trial.candidate, 0)
        times[trial.candidate] = number + 1
        entry = None if journal is None else journal.done(trial.point, number)
        seconds: float | None = None
        if entry is None:
            started = clock()
            entry = await _taken(trial, measure, settings, interrupted)
            if entry is None:
                return
            seconds = clock() - started
            if journal is not None:
                journal.add(
                    Entry(
                        point=trial.point,
                        round=number,
                        measurement=entry.measurement,
                        failure=entry.failure,
                    )
                )
        tuner.tell(trial, entry.measurement, failure=entry.failure, seconds=seconds)
        yield Told(trial=trial, measurement=entry.measurement, failure=entry.failure)


async def _taken(
    trial: Trial, measure: MeasureFor, settings: Settings, interrupted: Callable[[], bool]
) -> Entry | None:
    """As a sweep takes a point of its grid; None where it was interrupted."""
    grid = Grid((Group(trial.point.settings, (trial.point,)),))
    async for outcome in sweep(
        grid,
        lambda point: measure(point, trial.seconds),
        settings,
        interrupted=interrupted,
    ):
        return outcome.entry
    return None


async def drive_capacity(
    search: CapacitySearch,
    measure: MeasureFor,
    *,
    batch_size: int = 1,
    max_in_flight: int = MAX_IN_FLIGHT,
    interrupted: Callable[[], bool] = lambda: False,
) -> AsyncIterator[tuple[Probe, Measurement]]:
    """
    Take a search's probes in an open loop of Poisson arrivals, to its end or the interrupt.

    Args:
        search: Which rates.
        measure: Measures one.
        batch_size: Rows of a request.
        max_in_flight: Requests that may wait for their answers.
        interrupted: Whether to end; what was cut short is dropped.
    """
    while not interrupted() and (probe := search.ask()) is not None:
        load = Open(Poisson(probe.rate), max_in_flight)
        measurement = await measure(Point(load=load, batch_size=batch_size), probe.seconds)
        if interrupted() or measurement.interrupted:
            return
        search.tell(probe, measurement)
        yield probe, measurement
