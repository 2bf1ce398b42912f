"""`tritonkit bench run`."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.inputs.generate import RequestInputs
from tritonkit.bench.inputs.model_inputs import DISTINCT_REQUESTS
from tritonkit.bench.inputs.texts import SENTENCES
from tritonkit.bench.inputs.values import parse_shape, parse_texts
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import PERCENTILES, Measurement, Point
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.report import json as report
from tritonkit.bench.report.table import latency_table, notes, server_table
from tritonkit.bench.session import Plan, interrupted_by_sigint, measure, render
from tritonkit.client import Signature
from tritonkit.client.commands.named_value import parse_named_value
from tritonkit.errors import RequestError
from tritonkit.extras import require
from tritonkit.options import DURATION, RANGE
from tritonkit.units import format_duration

__all__ = ["run"]

_WIDTH = 120
"""Columns of a table that goes into a file or a pipe."""

_INTERRUPTED = 130
"""What a shell shows for a program that Ctrl-C ended."""


def _each(parse: Callable[[str], Any]) -> Callable[..., list[Any]]:
    """A callback of click: its own types would hide our messages."""
    return lambda _context, _parameter, values: [parse(value) for value in values]


@click.command()
@click.argument("model")
@click.option("--url", default="http://localhost:8000", show_default=True, help="The server.")
@click.option("--version", default="", help="Model version.  [default: the server's choice]")
@click.option(
    "--concurrency",
    type=RANGE,
    default="1",
    show_default=True,
    help="Requests in flight: 8, 1,4,16, 1:8 or 1:64:*2. One measurement each.",
)
@click.option("--batch-size", default=1, show_default=True, help="Rows of a request.")
@click.option(
    "--duration",
    type=DURATION,
    default="10s",
    show_default=True,
    help="Length of each measurement.",
)
@click.option(
    "--warmup", type=DURATION, default="2s", show_default=True, help="Load before it, unrecorded."
)
@click.option(
    "--requests", type=click.IntRange(1), help="End each measurement by count, not by duration."
)
@click.option(
    "--timeout", type=DURATION, default="60s", show_default=True, help="When a request fails."
)
@click.option(
    "--shape",
    "shapes",
    callback=_each(parse_shape),
    multiple=True,
    metavar="NAME:DIMS",
    help="Shape of an input without the batch dimension: image:3,224,224.",
)
@click.option(
    "--input",
    "inputs",
    callback=_each(parse_named_value),
    multiple=True,
    metavar="NAME=VALUES",
    help="Values of an input: JSON, or @FILE of .npy or .json. Requests take its rows in turn.",
)
@click.option(
    "--text",
    "texts",
    callback=_each(parse_texts),
    multiple=True,
    metavar="TEXT",
    help="What text inputs are made of, or @FILE with one a line.  [default: built-in sentences]",
)
@click.option("--identical", is_flag=True, help="Send one request again and again.")
@click.option("--seed", default=0, show_default=True, help="Of the generated inputs.")
@click.option(
    "--percentile",
    "percentiles",
    type=float,
    multiple=True,
    help="One more percentile to report, such as 99.99.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write a JSON document there.")
def run(
    model: str,
    url: str,
    version: str,
    concurrency: tuple[int, ...],
    batch_size: int,
    duration: float,
    warmup: float,
    requests: int | None,
    timeout: float,
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    inputs: Sequence[tuple[str, Any]],
    texts: Sequence[tuple[str, ...]],
    identical: bool,
    seed: int,
    percentiles: Sequence[float],
    output: Path | None,
) -> None:
    """
    Measure MODEL in a closed loop.

    Inputs need no flag: numbers are random, texts are sentences, a dynamic
    dimension is 16 (1 for texts). The exit code is 1 when a measurement got no
    answer at all; requests that fail otherwise are counted and reported.
    """
    # What the report needs, before the work rather than after it.
    for module in ("hdrh.histogram", "rich.console"):
        require(module, extra="bench")
    if output is not None:
        report.check_writable(output)
    plan = Plan(
        duration=None if requests else duration,
        warmup=warmup,
        max_requests=requests,
        timeout=timeout,
        distinct=1 if identical else DISTINCT_REQUESTS,
        percentiles=tuple(sorted({*PERCENTILES, *percentiles})),
    )
    points = [Point(load=Closed(n), batch_size=batch_size) for n in concurrency]

    def inputs_for(signature: Signature) -> RequestInputs:
        sentences = [text for group in texts for text in group] or SENTENCES
        return RequestInputs(
            signature, seed=seed, shapes=dict(shapes), values=dict(inputs), texts=sentences
        )

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        conditions, measurements, interrupted = runner.run(
            _measure(url, model, version, inputs_for, points, plan, seed)
        )
    if measurements:
        _show(conditions, measurements)
        if output is not None:
            report.write(output, report.document(conditions, measurements))
            click.echo(f"written to {output}", err=True)
    _end(model, measurements, len(points), interrupted)


async def _measure(
    url: str,
    model: str,
    version: str,
    inputs_for: Callable[[Signature], RequestInputs],
    points: Sequence[Point],
    plan: Plan,
    seed: int,
) -> tuple[Conditions, list[Measurement], bool]:
    """Conditions, what was measured, and whether Ctrl-C ended it."""
    async with await ServedModel.connect(url, model, version) as target:
        inputs = inputs_for(target.signature)
        requests = render(target, inputs, distinct=plan.distinct, batch_size=points[0].batch_size)
        conditions = Conditions(
            url=str(target.address),
            model=model,
            version=version,
            config_digests=target.config_digests,
            server=target.server,
            load="closed loop",
            warmup=plan.warmup,
            duration=plan.duration,
            max_requests=plan.max_requests,
            timeout=plan.timeout,
            seed=seed,
            inputs=inputs.describe(),
            distinct_requests=len(requests),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            event_loop=type(asyncio.get_running_loop()).__module__.partition(".")[0],
        )
        with interrupted_by_sigint() as interrupt:
            measurements = [
                measurement
                async for measurement in measure(
                    target,
                    requests,
                    points,
                    plan,
                    progress=Progress(sys.stderr),
                    interrupt=interrupt,
                )
            ]
        return conditions, measurements, interrupt.is_set()


def _show(conditions: Conditions, measurements: Sequence[Measurement]) -> None:
    console = require("rich.console", extra="bench").Console(
        width=None if sys.stdout.isatty() else _WIDTH, highlight=False
    )
    console.print(latency_table(conditions, measurements))
    if (table := server_table(measurements)) is not None:
        console.print()
        console.print(table)
    console.print()
    for note in notes(conditions, measurements):
        console.print(note, markup=False, soft_wrap=True)


def _end(model: str, measurements: Sequence[Measurement], planned: int, interrupted: bool) -> None:
    if interrupted:
        kept = f"{len(measurements)} of {planned}"
        click.echo(f"interrupted; measurements kept: {kept}", err=True)
        raise SystemExit(_INTERRUPTED)
    last = measurements[-1]
    if last.requests:
        return
    if not last.failed:
        raise RequestError(
            f"no request to {model!r} ended within {format_duration(last.seconds)}; "
            "give it a longer --duration.",
            model=model,
        )
    reasons = "; ".join(f"{f.kind} ({f.count} times): {f.first}" for f in last.failures)
    raise RequestError(f"every request to {model!r} failed: {reasons}", model=model)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Of uvloop where it is installed; None for asyncio's own."""
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module(
            "uvloop"
        ).new_event_loop
    except ModuleNotFoundError:
        return None
    return factory
