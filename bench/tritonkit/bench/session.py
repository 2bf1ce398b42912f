"""One run of the bench: points measured one after the other against one target."""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, process_time
from types import TracebackType
from typing import Self

from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.inputs.workload import Workload
from tritonkit.bench.load.loop import Loop
from tritonkit.bench.load.processes import ProcessesLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.load.shape import Closed, Load
from tritonkit.bench.load.start import local_loop
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.observe.observer import Observer, Observers
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.observe.statistics import Counters, ModelTimes, gained
from tritonkit.bench.plan import MAX_TIMEOUT, Plan
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.window import cut_window
from tritonkit.bench.repeats import Repeat, combined, risen
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.bench.targets.target import Target
from tritonkit.errors import ConfigError, TritonkitError
from tritonkit.units import format_duration

__all__ = [
    "MAX_TIMEOUT",
    "NothingMeasured",
    "Plan",
    "Session",
    "Workloads",
    "interrupted_by_sigint",
    "measure_model",
]

Workloads = Callable[[int], Workload]
"""Everything that is sent, by batch size."""

_LEAD = 0.1
"""Seconds before the end of the warm-up at which the server's counters are read."""

_STEADY = ("constant", "poisson", "gamma")
"""Kinds of arrivals whose rate stays what it is."""


class NothingMeasured(TritonkitError):
    """The run was interrupted before a window began."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class _Prepared:
    batch_size: int
    workload: Workload
    requests: Requests


class Session:
    """
    Measures points of one target; an async context manager, which closes nothing it was given.

    A point is measured by warm-ups and windows in turn, as its plan says. Failures are
    counted and end nothing; an interrupt ends the point, and what there is of it is kept.

    Args:
        target: What is measured.
        workload: What is sent; or, for points of several batch sizes, what makes it.
        plan: How long, how often, and what is reported.
        served: Tells the server's own account; None to do without.
        observer: Looks at the machines during each window.
        blueprint: What other processes make their target from; needed for several.
        progress: Where the state is shown; None for nowhere.
        interrupt: Set from outside to end early.
    """

    def __init__(
        self,
        target: Target,
        workload: Workload | Workloads,
        plan: Plan | None = None,
        *,
        served: ServedModel | None = None,
        observer: Observer | None = None,
        blueprint: Blueprint | None = None,
        progress: Progress | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> None:
        self.plan = plan or Plan()
        if self.plan.processes > 1 and blueprint is None:
            raise ConfigError(
                f"{self.plan.processes} processes need a blueprint to make their targets from."
            )
        self._target = target
        self._workload = workload
        self._served = served
        self._observer = observer or Observers()
        self._blueprint = blueprint
        self._progress = progress
        self._interrupt = interrupt or asyncio.Event()
        self._prepared: _Prepared | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._prepared = None

    async def measure(self, point: Point, label: str = "", *, points_after: int = 0) -> Measurement:
        """
        Measure one point.

        Args:
            point: Its settings on the server are in place already.
            label: Stands before the state that is shown.
            points_after: How many follow, for the time left that is shown.

        Raises:
            NothingMeasured: If the interrupt came before the first window.
            ConfigError: If the target does not take the requests.
        """
        prepared = self._prepare(point.batch_size)
        repeats: list[Repeat] = []
        for number in range(self.plan.repeats):
            if self._interrupt.is_set():
                break
            await self._target.renew()
            of = f", repeat {number + 1} of {self.plan.repeats}" if self.plan.repeats > 1 else ""
            windows_after = self.plan.repeats * (points_after + 1) - number - 1
            found = await self._repeat(
                point, prepared, number, f"{label}{point}{of}", windows_after
            )
            if found is not None:
                repeats.append(found)
        if not repeats:
            raise NothingMeasured("interrupted before anything was measured.")
        return combined(point, repeats, self.plan)

    async def measure_each(
        self, points: Sequence[Point], label: str = ""
    ) -> AsyncIterator[Measurement]:
        """
        Measure one point after the other.

        Ends early after an interrupt, and after a point at which every request failed:
        the next would fail alike.
        """
        for number, point in enumerate(points, start=1):
            try:
                measurement = await self.measure(
                    point,
                    f"[{number}/{len(points)}] {label}",
                    points_after=len(points) - number,
                )
            except NothingMeasured:
                return
            yield measurement
            if self._interrupt.is_set() or (measurement.failed and not measurement.requests):
                return

    def _prepare(self, batch_size: int) -> _Prepared:
        if self._prepared is None or self._prepared.batch_size != batch_size:
            workload = self._workload
            made = workload if isinstance(workload, Workload) else workload(batch_size)
            for item in made.items:
                if item.rows != batch_size:
                    # Rows a second are requests a second times the batch size.
                    raise ConfigError(
                        f"a request has {item.rows} rows, but the point's batch size is "
                        f"{batch_size}: give each batch size a point and a workload of its own."
                    )
            self._prepared = _Prepared(batch_size, made, Requests.prepare(self._target, made))
        return self._prepared

    async def _repeat(
        self, point: Point, prepared: _Prepared, number: int, label: str, windows_after: int
    ) -> Repeat | None:
        """One warm-up and one window; None where the interrupt came before the window."""
        plan = self.plan
        start_ns = round(plan.warmup * 1e9)
        planned_ns = plan.end_ns(point.load, number)
        slice_seconds = plan.slice_seconds(planned_ns)
        loop = self._loop(
            point.load, prepared, slice_seconds, seed=plan.seed_of(number), end_ns=planned_ns
        )
        # Without a warm-up the first requests count already, so look before they are sent.
        before = None if plan.warmup else await self._look()
        async with loop:
            limit = plan.max_requests if isinstance(point.load, Closed) else None
            ending = asyncio.ensure_future(
                loop.until(
                    None if planned_ns is None else planned_ns / 1e9,
                    requests=limit,
                    since_ns=start_ns,
                )
            )
            try:
                async with self._showing(label, loop, planned_ns, windows_after):
                    if before is None:
                        await loop.until(max(plan.warmup - _LEAD, plan.warmup / 2))
                        before = await self._look()
                    # By the load's own clock: this is a while before the window.
                    started = datetime.now(UTC).timestamp() + plan.warmup - loop.now_ns / 1e9
                    cpu, began = process_time(), monotonic()
                    end_ns = await ending
                    seen, after = await asyncio.gather(self._observer.stop(), self._counters())
                    cpu = (process_time() - cpu) / max(monotonic() - began, 1e-9)
                    await loop.settle()
            finally:
                ending.cancel()
        interrupted = self._interrupt.is_set()
        if planned_ns is not None:
            # A trace's last answer may come before its end.
            over = not (interrupted or isinstance(point.load, Closed))
            end_ns = planned_ns if over else min(end_ns, planned_ns)
        if interrupted and (end_ns <= start_ns or not _recorded_since(loop.recorder, start_ns)):
            return None
        return Repeat(
            window=cut_window(
                loop.recorder,
                start_ns,
                max(end_ns, start_ns + 1),
                stationary=_stationary(point.load),
                counted=plan.max_requests is not None,
            ),
            interrupted=interrupted and end_ns != planned_ns,
            seen=seen,
            client_cpu=cpu,
            server=_gained(before[0], after[0]),
            counted=risen(before[1], after[1]),
            started=started,
        )

    def _loop(
        self,
        load: Load,
        prepared: _Prepared,
        slice_seconds: float,
        *,
        seed: int,
        end_ns: int | None,
    ) -> Loop:
        plan = self.plan
        if self._blueprint is not None and plan.processes > 1:
            return ProcessesLoop(
                self._blueprint,
                prepared.workload,
                load,
                processes=plan.processes,
                timeout=plan.timeout,
                seed=seed,
                slice_seconds=slice_seconds,
                origin=plan.warmup,
                end_ns=end_ns,
                interrupt=self._interrupt,
            )
        return local_loop(
            load,
            prepared.requests,
            timeout=plan.timeout,
            seed=seed,
            recorder=Recorder(slice_seconds, origin=plan.warmup, end_ns=end_ns),
            interrupt=self._interrupt,
        )

    async def _look(self) -> tuple[tuple[Counters, ...] | None, Mapping[str, float]]:
        """The counters before a window, which the observer begins to look at."""
        # At once: a driver or an endpoint may be slow to answer the observer.
        _, counters = await asyncio.gather(self._observer.start(), self._counters())
        return counters

    async def _counters(self) -> tuple[tuple[Counters, ...] | None, Mapping[str, float]]:
        counters = None if self._served is None else await self._served.counters()
        return counters, self._target.counters()

    @asynccontextmanager
    async def _showing(
        self, label: str, loop: Loop, planned_ns: int | None, windows_after: int
    ) -> AsyncIterator[None]:
        if self._progress is None:
            yield
            return
        # Where a count ends the windows, nobody knows.
        end = None
        if planned_ns is not None:
            end = planned_ns / 1e9 * (1 + windows_after)
        async with self._progress.showing(lambda: _state(label, loop, self.plan.warmup, end)):
            yield


async def measure_model(
    url: str,
    model: str,
    points: Sequence[Point],
    plan: Plan | None = None,
    *,
    inputs: InputChoice | None = None,
    version: str = "",
    progress: Progress | None = None,
    interrupt: asyncio.Event | None = None,
) -> list[Measurement]:
    """
    Measure a model on a bare server, one point after the other.

    Args:
        url: The server, by http or grpc.
        model: Name of the model.
        points: What to measure.
        plan: How long, how often, and what is reported.
        inputs: What is sent; by default what the model's metadata ask for.
        version: Its version; empty for the server's choice.
        progress: Where the state is shown; None for nowhere.
        interrupt: Set from outside to end early.

    Raises:
        ConfigError: If the model does not take the requests.
        RequestError: If nobody answers, or the model is not ready.
    """
    plan, inputs = plan or Plan(), inputs or InputChoice()
    blueprint = Blueprint(model=model, version=version, url=url)
    target, served = await blueprint.open(inputs.models)
    try:
        async with Session(
            target,
            lambda rows: inputs.workload(
                served.signature, batch_size=rows, seed=plan.seed, others=served.others
            ),
            plan,
            served=served,
            blueprint=blueprint,
            progress=progress,
            interrupt=interrupt,
        ) as session:
            return [measurement async for measurement in session.measure_each(points, model + ", ")]
    finally:
        await target.aclose()
        await served.aclose()


@contextmanager
def interrupted_by_sigint() -> Iterator[asyncio.Event]:
    """
    An event that Ctrl-C sets, inside a running loop.

    The second Ctrl-C raises KeyboardInterrupt as ever.
    """
    loop = asyncio.get_running_loop()
    event = asyncio.Event()

    def interrupt() -> None:
        event.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield event
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _gained(
    before: tuple[Counters, ...] | None, after: tuple[Counters, ...] | None
) -> tuple[ModelTimes, ...] | None:
    return None if before is None or after is None else gained(before, after)


def _stationary(load: Load) -> bool:
    """Whether the load stays what it is; of a ramp or a trace no steady state is expected."""
    return isinstance(load, Closed) or load.arrivals.describe().get("kind") in _STEADY


def _recorded_since(recorder: Recorder, start_ns: int) -> bool:
    return any(start >= start_ns for start, _ in recorder.slices())


def _state(label: str, loop: Loop, warmup: float, end: float | None) -> str:
    seconds = loop.now_ns / 1e9
    phase = "warming up" if seconds < warmup else "measuring"
    rate = loop.ended / max(seconds, 0.001)
    left = "" if end is None else f", {format_duration(math.ceil(max(1.0, end - seconds)))} left"
    return f"{label}: {phase}, {rate:,.0f} req/s{left}"
