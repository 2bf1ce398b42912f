"""
From a model to a served, queried and measured endpoint, on this machine.

Exports all-MiniLM-L6-v2 in fp32 and int8, serves both on the embedded
tritonserver, asks for the nearest neighbours of a few questions, and measures
three ways of calling. On a terminal it goes on as `tritonkit demo` does: with the gateway,
its page and traffic, until Ctrl-C. Run it with `make demo`; a second run exports nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import uvloop
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tritonkit.bench.commands.progress import Progress
from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.session import Plan, measure_model
from tritonkit.client import Client
from tritonkit.errors import TritonkitError
from tritonkit.export import Card
from tritonkit.gateway.demo.demo import Demo
from tritonkit.gateway.demo.models import MODELS, export_models
from tritonkit.gateway.demo.texts import corpus
from tritonkit.repository.check.check import check
from tritonkit.repository.check.report.summary import summary
from tritonkit.server import EmbeddedServer
from tritonkit.units import format_size

ROOT = Path(__file__).parents[1]
REPOSITORY = ROOT / "model_repository"
QUESTIONS = (
    "I cannot log in any more",
    "Students pay less, right?",
    "Nobody brought what I ordered",
    "Does the device overheat?",
)
CALLERS = (
    ("one caller, a text at a time", Point(load=Closed(1))),
    ("32 callers, a text each", Point(load=Closed(32))),
    ("one caller, 32 texts a request", Point(load=Closed(1), batch_size=32)),
)
PLAN = Plan(duration=4.0, warmup=1.0)


def main() -> int:
    """Run the four steps; the exit code."""
    console = Console(highlight=False)
    started = perf_counter()
    try:
        cards = export(console)
        step(console, 2, "serve: a real tritonserver, no container, no GPU")
        with EmbeddedServer(REPOSITORY, progress=partial(say, console)) as server:
            console.print(f"  HTTP {server.http_url}  gRPC {server.grpc_url}")
            ask(console, server.http_url)
            step(console, 4, f"measure: {len(CALLERS)} ways of calling, {len(MODELS)} precisions")
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                measured = runner.run(load(server.http_url))
        show(console, cards, measured)
    except TritonkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; what was exported stays and is not exported again", file=sys.stderr)
        return 130
    console.print(f"\nDone in {perf_counter() - started:.0f} s. Where to go next:")
    for command, what in (
        ("tritonkit demo", "the gateway, its live page and traffic to steer"),
        ("tritonkit serve model_repository", "keep it running, for any Triton client"),
        (f'tritonkit infer {MODELS[1]} --text "hello"', "one request, in another terminal"),
        (f"tritonkit bench run {MODELS[1]} --concurrency 1:64:*2", "your own load"),
        ("tritonkit export FOLDER model_repository", "your own sentence-transformers model"),
    ):
        console.print(f"  .venv/bin/{command:<58} {what}", soft_wrap=True)
    return go_on(console) if watched() else 0


def watched() -> bool:
    """Whether somebody sits at a terminal, who can end what goes on and on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("CI")


def go_on(console: Console) -> int:
    """Run everything with traffic, until Ctrl-C; the exit code."""
    console.print("\nThe first of these, now:\n")
    try:
        Demo(repository=REPOSITORY).run()
    except TritonkitError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def step(console: Console, number: int, what: str) -> None:
    """Print the headline of a step."""
    console.print(f"\n[bold]{number}/4[/] {what}")


def say(console: Console, line: str) -> None:
    """Print a line of a step."""
    console.print(f"  {line}", soft_wrap=True)


def export(console: Console) -> tuple[Card, ...]:
    """Both precisions in the repository, checked, as their cards."""
    step(console, 1, "export: all-MiniLM-L6-v2, as trained (fp32) and quantised (int8)")
    cards = export_models(REPOSITORY, partial(say, console)).cards
    report = check(REPOSITORY)
    say(console, f"check: {summary(report)}")
    return cards


def ask(console: Console, url: str) -> None:
    """Print the corpus's nearest neighbour of each question."""
    sentences = corpus()
    step(console, 3, f"ask: the nearest of {len(sentences)} sentences, by cosine")
    with Client(url) as client:
        known, asked = (embed(client, texts) for texts in (sentences, QUESTIONS))
    similarity = asked @ known.T
    for question, row in zip(QUESTIONS, similarity, strict=True):
        best = int(np.argmax(row))
        console.print(f"  {question:<30} -> {sentences[best]}  ({row[best]:.2f})")


def embed(client: Client, texts: Sequence[str]) -> NDArray[np.float32]:
    """
    Embeddings of *texts*.

    Returns:
        Shape (texts, 384), of length 1 each, so that a product is a cosine.
    """
    embedding: NDArray[np.float32] = client.infer(MODELS[0], {"text": [[t] for t in texts]})[
        "embedding"
    ]
    return embedding


async def load(url: str) -> list[list[Measurement]]:
    """Each way of calling (rows) with each model (columns), under load."""
    return [[await point(url, model, at) for model in MODELS] for _, at in CALLERS]


async def point(url: str, model: str, at: Point) -> Measurement:
    """One model under one way of calling."""
    (measurement,) = await measure_model(url, model, [at], PLAN, progress=Progress(sys.stderr))
    return measurement


def show(
    console: Console, cards: Sequence[Card], measured: Sequence[Sequence[Measurement]]
) -> None:
    """Print the table: a column a model, the evidence first, then what was measured."""
    table = Table(title="\nall-MiniLM-L6-v2 on this machine", title_justify="left")
    table.add_column("")
    for model in MODELS:
        table.add_column(model, justify="right")
    sizes = [format_size(card.size_bytes) for card in cards]
    table.add_row("size of the graph", *sizes)
    agreement = [f"{card.accuracy.cosine_mean:.4f}" for card in cards]
    table.add_row("cosine to the source model", *agreement, end_section=True)
    for (label, _), row in zip(CALLERS, measured, strict=True):
        table.add_row(label, *(f"{run.inferences_per_second:,.0f} texts/s" for run in row))
        table.add_row("  half of the requests within", *(milliseconds(run, 50) for run in row))
        table.add_row(
            "  99 of 100 within", *(milliseconds(run, 99) for run in row), end_section=True
        )
    console.print(table)
    failed = sum(run.failed for row in measured for run in row)
    if failed:
        raise TritonkitError(f"{failed} requests failed during the measurement.")


def milliseconds(run: Measurement, percentile: float) -> str:
    """A percentile of the latency, for people."""
    return f"{run.latency.percentiles_us[percentile] / 1000:.1f} ms"


if __name__ == "__main__":
    sys.exit(main())
