"""The options that say which load a command sends and how it is measured."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from tritonkit.bench.load.shape import MAX_IN_FLIGHT, Closed, Load, Open
from tritonkit.bench.load.share import Share
from tritonkit.bench.measurement import PERCENTILES, Point
from tritonkit.bench.plan import Plan
from tritonkit.bench.schedule.arrivals import Arrivals
from tritonkit.bench.schedule.parse import parse_arrivals
from tritonkit.bench.schedule.sharded import Sharded
from tritonkit.errors import ConfigError
from tritonkit.options import DURATION, RANGE

__all__ = ["LoadChoice", "load_options"]

_DURATION = 10.0


@dataclass(frozen=True, slots=True)
class LoadChoice:
    """
    What the options of one command say.

    Args:
        points: One measurement each.
        plan: How each is measured.
    """

    points: tuple[Point, ...]
    plan: Plan

    def describe(self) -> str:
        """The load in words, for the conditions: "closed loop", "open loop"."""
        return "closed loop" if isinstance(self.points[0].load, Closed) else "open loop"

    def shared(self, share: Share) -> LoadChoice:
        """
        What one of several machines sends of it.

        Raises:
            ConfigError: If a concurrency or a number of requests cannot be shared evenly.
        """
        most = self.plan.max_requests
        requests = None if most is None else share.even(most, "--requests")
        points = tuple(replace(p, load=_shared(p.load, share)) for p in self.points)
        for point in points:
            _check_room(point.load, self.plan.processes)
        return LoadChoice(points, replace(self.plan, max_requests=requests))


def load_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options; it gets them as `load`, a LoadChoice."""

    @functools.wraps(command)
    def chosen(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in _NAMES}
        return command(*args, load=choose(**given), **kwargs)

    for option in reversed(_OPTIONS):
        chosen = option(chosen)
    return chosen


_OPTIONS = (
    click.option(
        "--concurrency",
        type=RANGE,
        help="Closed loop: requests in flight, such as 8, 1,4,16, 1:8 or 1:64:*2. One "
        "measurement each.  [default: 1]",
    ),
    click.option(
        "--rate",
        "rates",
        type=RANGE,
        help="Open loop: arrivals a second, such as 500 or 100:1000:100, whether or not the "
        "server keeps up; less than one, or a fraction, by --arrivals poisson:0.5. One "
        "measurement each.",
    ),
    click.option(
        "--arrivals",
        multiple=True,
        metavar="HOW",
        help="With --rate poisson, constant or gamma:BURSTINESS; without it a whole schedule, "
        "poisson:500, constant:500, gamma:500:0.5, ramp:100-1000/60s or trace:FILE, once for "
        "each measurement.  [default: poisson]",
    ),
    click.option(
        "--max-in-flight",
        type=click.IntRange(1),
        help="Open loop: requests that may wait for answers; what comes meanwhile is dropped "
        f"and counted.  [default: {MAX_IN_FLIGHT}]",
    ),
    click.option("--batch-size", default=1, show_default=True, help="Rows of a request."),
    click.option(
        "--duration",
        type=DURATION,
        help="Length of each window.  [default: 10s; none with --requests]",
    ),
    click.option(
        "--warmup",
        type=DURATION,
        default="2s",
        show_default=True,
        help="Load before each window, which does not count.",
    ),
    click.option(
        "--requests", type=click.IntRange(1), help="End each window with this many requests."
    ),
    click.option(
        "--repeats",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Windows of each measurement, with a warm-up each.",
    ),
    click.option(
        "--processes",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="That send, where one core is not enough.",
    ),
    click.option(
        "--timeout", type=DURATION, default="60s", show_default=True, help="When a request fails."
    ),
    click.option(
        "--percentile",
        "percentiles",
        type=float,
        multiple=True,
        help="One more percentile to report, such as 99.99.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Of arrivals, inputs and their order.",
    ),
)
_NAMES = (
    "concurrency", "rates", "arrivals", "max_in_flight", "batch_size", "duration", "warmup",
    "requests", "repeats", "processes", "timeout", "percentiles", "seed",
)  # fmt: skip


def choose(
    *,
    concurrency: Sequence[int] | None = None,
    rates: Sequence[int] | None = None,
    arrivals: Sequence[str] = (),
    max_in_flight: int | None = None,
    batch_size: int = 1,
    duration: float | None = None,
    warmup: float = 2.0,
    requests: int | None = None,
    repeats: int = 1,
    processes: int = 1,
    timeout: float = 60.0,
    percentiles: Sequence[float] = (),
    seed: int = 0,
) -> LoadChoice:
    """
    What the options mean together.

    Raises:
        ConfigError: If one is wrong, or two do not go together.
    """
    loads = _loads(concurrency, rates, arrivals, max_in_flight)
    for load in loads:
        _check_room(load, processes)
    plan = Plan(
        duration=_DURATION if duration is None and requests is None else duration,
        warmup=warmup,
        max_requests=requests,
        timeout=timeout,
        percentiles=tuple(sorted({*PERCENTILES, *percentiles})),
        seed=seed,
        repeats=repeats,
        processes=processes,
    )
    for load in loads:
        plan.check(load)
        if requests is not None and isinstance(load, Closed) and requests < processes:
            raise ConfigError(
                f"{processes} processes need a request each at least, but --requests is {requests}."
            )
    return LoadChoice(tuple(Point(load=load, batch_size=batch_size) for load in loads), plan)


def _check_room(load: Load, processes: int) -> None:
    room = load.concurrency if isinstance(load, Closed) else load.max_in_flight
    if room < processes:
        raise ConfigError(
            f"{processes} processes need at least as many requests in flight, but {load} "
            f"has {room}."
        )


def _shared(load: Load, share: Share) -> Load:
    if isinstance(load, Closed):
        return Closed(share.even(load.concurrency, "concurrency"))
    # Equal ones, so that the points of all shares are the same.
    return Open(Sharded(load.arrivals, share), -(-load.max_in_flight // share.of))


def _loads(
    concurrency: Sequence[int] | None,
    rates: Sequence[int] | None,
    arrivals: Sequence[str],
    max_in_flight: int | None,
) -> list[Load]:
    opened = rates is not None or bool(arrivals)
    if concurrency is not None and opened:
        given = "--rate" if rates is not None else "--arrivals"
        raise ConfigError(
            f"--concurrency is of a closed loop and {given} of an open one: leave one out."
        )
    if max_in_flight is not None and not opened:
        raise ConfigError("--max-in-flight bounds an open loop: give --rate or --arrivals as well.")
    if not opened:
        return [Closed(number) for number in concurrency or (1,)]
    most = MAX_IN_FLIGHT if max_in_flight is None else max_in_flight
    return [Open(each, most) for each in _schedules(rates, arrivals)]


def _schedules(rates: Sequence[int] | None, arrivals: Sequence[str]) -> list[Arrivals]:
    if rates is None:
        return [parse_arrivals(text) for text in arrivals]
    if len(arrivals) > 1:
        raise ConfigError("--rate goes with one --arrivals, which says how they come.")
    kind, colon, rest = (arrivals[0] if arrivals else "poisson").partition(":")
    if kind not in ("poisson", "constant", "gamma") or (colon and kind != "gamma"):
        raise ConfigError(
            "with --rate, --arrivals is poisson, constant or gamma:BURSTINESS, "
            f"but got {arrivals[0]!r}."
        )
    return [parse_arrivals(f"{kind}:{rate}{colon}{rest}") for rate in rates]
