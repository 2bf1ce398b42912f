"""`tritonkit bench capacity`."""

from __future__ import annotations

import asyncio
import math
import sys
from pathlib import Path

import click

from tritonkit.bench.commands.conditions_of import stage_conditions
from tritonkit.bench.commands.input_options import input_options
from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.commands.search_options import search_options
from tritonkit.bench.commands.target_options import TargetChoice, target_options
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.load.event_loops import event_loops
from tritonkit.bench.load.shape import MAX_IN_FLIGHT
from tritonkit.bench.measurement import PERCENTILES, Measurement, Point
from tritonkit.bench.observe.around import observers_of
from tritonkit.bench.plan import Plan
from tritonkit.bench.report import json as report
from tritonkit.bench.search.capacity import Capacity, CapacitySearch, Level, Probe
from tritonkit.bench.search.drive import drive_capacity
from tritonkit.bench.search.target import Target, parse_target
from tritonkit.bench.session import NothingMeasured, interrupted_by_sigint
from tritonkit.bench.sweep.stage import Stage
from tritonkit.errors import ConfigError, RequestError
from tritonkit.extras import require
from tritonkit.options import DURATION, SHARE
from tritonkit.units import format_duration

__all__ = ["capacity", "summary"]

_INTERRUPTED = 130
_NOT_FOUND = 1


@click.command()
@target_options
@click.option(
    "--target",
    "wanted",
    required=True,
    metavar="TARGET",
    help="What must hold: 'p99 < 50ms', 'p95 <= 20ms and error_rate < 1%'.",
)
@click.option(
    "--start", type=float, default=50.0, show_default=True, help="The first rate, requests/s."
)
@click.option(
    "--duration",
    type=DURATION,
    default="5s",
    show_default=True,
    help="Of the first look at a rate; what is not clear then is looked at for longer.",
)
@click.option(
    "--longest",
    type=DURATION,
    help="Of all looks at one rate, and of the run that confirms.  [default: 8 times --duration]",
)
@click.option(
    "--tolerance",
    type=SHARE,
    default="3%",
    show_default=True,
    help="The gap between a rate that holds and one that does not at which to end.",
)
@click.option(
    "--max-in-flight",
    type=click.IntRange(1),
    default=MAX_IN_FLIGHT,
    show_default=True,
    help="Requests that may wait for answers; what comes meanwhile is dropped and fails.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of arrivals, inputs and their order.",
)
@input_options
@search_options
def capacity(
    target: TargetChoice,
    wanted: str,
    start: float,
    batch_size: int,
    duration: float,
    longest: float | None,
    warmup: float,
    tolerance: float,
    max_in_flight: int,
    processes: int,
    timeout: float,
    seed: int,
    inputs: InputChoice,
    metrics: str | None,
    output: Path | None,
) -> None:
    """
    Find the highest rate at which MODEL keeps a target.

    Requests come in an open loop, at Poisson times, whether or not earlier ones were
    answered. The rate is doubled until it breaks the target, and then the gap is
    halved. The exit code is 1 where no rate keeps it.
    """
    require("hdrh.histogram", extra="bench")
    if output is not None:
        report.check_writable(output)
    goal = parse_target(wanted)
    search = CapacitySearch(
        goal, start=start, seconds=duration, longest=longest, tolerance=tolerance
    )
    plan = Plan(
        duration=duration,
        warmup=warmup,
        timeout=timeout,
        percentiles=tuple(sorted({*PERCENTILES, *goal.percentiles})),
        seed=seed,
        processes=processes,
    )
    with asyncio.Runner(loop_factory=event_loops()) as runner:
        conditions, measurements, interrupted = runner.run(
            _search(target, inputs, plan, search, batch_size, max_in_flight, metrics)
        )
    found = search.found()
    if measurements:
        click.echo(summary(found, goal, batch_size))
        if output is not None:
            report.write(output, report.document(conditions, measurements))
            click.echo(f"written to {output}", err=True)
    if interrupted:
        click.echo("interrupted; what was measured so far is above", err=True)
        raise SystemExit(_INTERRUPTED)
    _fail_if_nothing_was_answered(measurements, target.blueprint.model)
    if found.rate is None:
        raise SystemExit(_NOT_FOUND)


async def _search(
    choice: TargetChoice,
    inputs: InputChoice,
    plan: Plan,
    search: CapacitySearch,
    batch_size: int,
    max_in_flight: int,
    metrics: str | None,
) -> tuple[Conditions, list[Measurement], bool]:
    measurements: list[Measurement] = []
    await choice.restore_left_over()
    with interrupted_by_sigint() as interrupt:
        stage = Stage(
            choice.blueprint, plan, inputs, progress=Progress(sys.stderr), interrupt=interrupt
        )
        async with stage:
            stage.observer = await observers_of(stage.served().address, metrics)
            conditions = stage_conditions(stage, batch_size, load="open loop, capacity")

            async def measure(point: Point, seconds: float) -> Measurement:
                return await stage.measure(point, seconds=seconds)

            try:
                async for probe, measurement in drive_capacity(
                    search,
                    measure,
                    batch_size=batch_size,
                    max_in_flight=max_in_flight,
                    interrupted=interrupt.is_set,
                ):
                    measurements.append(measurement)
                    click.echo(_line(probe, measurement, search), err=True)
                    if not measurement.requests and measurement.failed:
                        break
            except NothingMeasured:
                pass
            return conditions, measurements, interrupt.is_set()


def _line(probe: Probe, measurement: Measurement, search: CapacitySearch) -> str:
    level = next(level for level in search.found().levels if level.rate == probe.rate)
    kept = f"{level.verdict.value} kept" if level.probability >= 0.5 else level.reason
    looked = format_duration(probe.seconds)
    confirm = ", to confirm" if probe.confirms else ""
    figures = search.target.figures(measurement)
    return f"{probe.rate:9,.1f}/s for {looked}{confirm}: {figures}; {kept}"


def summary(found: Capacity, target: Target, batch_size: int) -> str:
    """What was found, for people."""
    lines: list[str] = []
    if found.rate is None:
        lines.append(f"No rate that was tried keeps {target}.")
        lines += [_level(level) for level in found.levels[:3]]
    else:
        rows = f" ({found.rate * batch_size:,.1f} infer/s)" if batch_size > 1 else ""
        lines.append(f"Capacity with {target}: {found.rate:,.1f} requests/s{rows}.")
        upper = "no rate that was tried" if found.high == math.inf else f"{found.high:,.1f}/s"
        lower = f"{found.low:,.1f}/s" if found.low else "no rate"
        lines.append(f"Surely kept at {lower}, surely broken at {upper}.")
        long = "was" if found.confirmed else "was not"
        lines.append(f"The rate {long} confirmed by a long run.")
    if not found.monotone:
        lines.append(
            "A higher rate held after a lower one broke the target: the server does not get "
            "steadily slower with load; the rate is the one below both."
        )
    if found.limit:
        lines.append(f"The search ended at {found.limit}.")
    return "\n".join(lines)


def _level(level: Level) -> str:
    return f"  {level.rate:,.2f}/s: {level.verdict.value}, {level.reason or 'it holds'}"


def _fail_if_nothing_was_answered(measurements: list[Measurement], model: str) -> None:
    if not measurements:
        raise ConfigError("nothing was measured.")
    last = measurements[-1]
    if last.failed and not last.requests:
        first = last.failures[0]
        raise RequestError(f"every request to {model!r} failed: {first.kind}: {first.first}")
