"""One run of the bench: points measured one after the other against one target."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, process_time

from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.inputs.budget import MAX_BYTES, tensors_bytes
from tritonkit.bench.inputs.generate import RequestInputs
from tritonkit.bench.inputs.model_inputs import DISTINCT_REQUESTS
from tritonkit.bench.inputs.workload import Item, in_turn
from tritonkit.bench.load.closed import ClosedLoop
from tritonkit.bench.load.loop import Loop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.measurement import PERCENTILES, Measurement, Point, Usage
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.observe.statistics import Counters, gained
from tritonkit.bench.record.recorder import Recorder
from tritonkit.bench.record.slices import SliceRecord
from tritonkit.bench.record.summary import cut, failures_of, latency_of
from tritonkit.bench.targets.http import HttpTarget
from tritonkit.client.types import InferRequest
from tritonkit.client.wire.codec import encode_infer
from tritonkit.errors import ConfigError

__all__ = ["MAX_TIMEOUT", "Plan", "interrupted_by_sigint", "measure", "render"]

MAX_TIMEOUT = 1800.0
"""Seconds; well below what a histogram holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    How each point is measured.

    Args:
        duration: Seconds of the window; None to end by `max_requests` only.
        warmup: Seconds of load before it.
        max_requests: Requests after which the window ends.
        timeout: Seconds after which a request fails.
        distinct: How many different requests take turns, so that no cache is
            flattered; 1 for always the same.
        percentiles: What is reported.
    """

    duration: float | None = 10.0
    warmup: float = 2.0
    max_requests: int | None = None
    timeout: float = 60.0
    distinct: int = DISTINCT_REQUESTS
    percentiles: tuple[float, ...] = PERCENTILES

    def __post_init__(self) -> None:
        if self.duration is None and self.max_requests is None:
            raise ConfigError("a run needs a duration or a number of requests.")
        if self.duration is not None and self.duration <= 0:
            raise ConfigError(f"duration must be positive, but got {self.duration}.")
        if not 0 < self.timeout <= MAX_TIMEOUT:
            raise ConfigError(f"timeout must be above 0 and at most 30m, but got {self.timeout}.")
        for percentile in self.percentiles:
            if not 0 < percentile <= 100:
                raise ConfigError(f"a percentile must be in (0, 100], but got {percentile}.")


def render(
    target: ServedModel, inputs: RequestInputs, *, distinct: int, batch_size: int
) -> list[bytes]:
    """
    Whole HTTP requests, ready to write.

    Args:
        target: Where they go.
        inputs: What they hold.
        distinct: How many; fewer where they would exceed 256 MB together.
        batch_size: Rows of each.

    Raises:
        ConfigError: If the model does not take them.
    """
    rendered: list[bytes] = []
    total = 0
    for tensors in inputs.generate(distinct, batch_size):
        if rendered and total + tensors_bytes(tensors) > MAX_BYTES:
            break
        request = InferRequest(model=target.model, version=target.version, inputs=tensors)
        rendered.append(encode_infer(request, target.address))
        total += len(rendered[-1])
    return rendered


async def measure(
    target: ServedModel,
    requests: Sequence[bytes],
    points: Sequence[Point],
    plan: Plan,
    *,
    progress: Progress,
    interrupt: asyncio.Event,
) -> AsyncIterator[Measurement]:
    """
    Measure one point after the other.

    Ends early when *interrupt* is set, after a partial measurement if there is
    one, and after a point at which every request failed: the next would fail alike.

    Args:
        target: The model.
        requests: Sent in turn; every point has the same.
        points: Their batch size is that of *requests*.
        plan: How long, and how many.
        progress: Where the state is shown.
        interrupt: Set from outside to end early.
    """
    sent = Requests(
        HttpTarget(str(target.address), target.model, target.version),
        [Item(inputs={})] * len(requests),
        requests,
        in_turn,
    )
    for number, point in enumerate(points, start=1):
        if point.concurrency is None:
            raise ConfigError(f"{point} is no closed loop.")
        recorder = Recorder(origin=plan.warmup)
        load = ClosedLoop(
            sent,
            concurrency=point.concurrency,
            timeout=plan.timeout,
            recorder=recorder,
            interrupt=interrupt,
        )
        label = f"[{number}/{len(points)}] {target.model}, concurrency {point.concurrency}"
        async with load:
            warm_ns = round(plan.warmup * 1e9)
            seconds = None if plan.duration is None else plan.warmup + plan.duration
            end = asyncio.ensure_future(
                load.until(seconds, requests=plan.max_requests, since_ns=warm_ns)
            )
            if plan.warmup:
                async with progress.showing(_line(f"{label}: warming up", load)):
                    await load.until(plan.warmup)
            before = await target.counters()
            if interrupt.is_set():
                return
            cpu = process_time()
            async with progress.showing(_line(f"{label}: measuring", load)):
                end_ns = await end
            cpu = process_time() - cpu
        after = await target.counters()
        seconds = end_ns / 1e9 - plan.warmup
        record = cut(recorder, warm_ns, end_ns + 1)
        if interrupt.is_set() and not record.latency.count:
            return
        measurement = _measurement(
            point, recorder, record, seconds, cpu / seconds, plan, before, after
        )
        yield measurement
        if interrupt.is_set() or not measurement.requests:
            return


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


def _line(label: str, load: Loop) -> Callable[[], str]:
    started = monotonic()

    def line() -> str:
        seconds = monotonic() - started
        return f"{label} {seconds:.0f}s, {load.ended / max(seconds, 0.001):,.0f} req/s"

    return line


def _measurement(
    point: Point,
    recorder: Recorder,
    record: SliceRecord,
    seconds: float,
    cpu: float,
    plan: Plan,
    before: tuple[Counters, ...] | None,
    after: tuple[Counters, ...] | None,
) -> Measurement:
    latency = latency_of(record.latency, plan.percentiles)
    failures = failures_of(recorder, record)
    ended = latency.count + sum(failure.count for failure in failures)
    full = plan.max_requests is not None and ended >= plan.max_requests
    return Measurement(
        point=point,
        seconds=seconds,
        latency=latency,
        service_time=latency,
        failures=failures,
        intended=ended,
        usage=Usage(client_cpu=cpu),
        server=None if before is None or after is None else gained(before, after),
        interrupted=not full and (plan.duration is None or seconds < plan.duration),
    )
