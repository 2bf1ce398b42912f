"""The card of an exported model: what it is, what was measured, under which conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.export.verify import Agreement
from tritonkit.units import format_size

__all__ = ["CARD_JSON", "CARD_MARKDOWN", "Card", "read_card", "table"]

CARD_JSON = "card.json"
CARD_MARKDOWN = "card.md"

# Columns of words, to the left of those of numbers.
_WORDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """
    One exported precision.

    Args:
        model: The ensemble that clients call.
        precision: "fp32" or "int8".
        source: Name of the source's folder.
        source_digest: sha256 over the source's files.
        recipe: sha256 over source, options and the export's own code; equal
            recipes make equal models.
        command: The command that makes it again.
        created: When, UTC, ISO 8601.
        size_bytes: Size of model.onnx.
        times_smaller: fp32's size divided by this one's.
        agreement: Cosines to the source, over the built-in texts.
        texts: How many texts those are.
        texts_per_second: In this process, batches of `batch_size`, not through Triton.
        times_faster: Throughput divided by fp32's, measured in turns.
        batch_size: Texts a batch of the throughput measurement.
        threads: Threads of a run; 0 for every core.
        machine: Where it was measured.
        versions: Packages that took part.
        files: Size of each file in bytes, by its path in the repository.
    """

    model: str
    precision: str
    source: str
    source_digest: str
    recipe: str
    command: str
    created: str
    size_bytes: int
    times_smaller: float
    agreement: Agreement
    texts: int
    texts_per_second: float
    times_faster: float
    batch_size: int
    threads: int
    machine: Mapping[str, str | int]
    versions: Mapping[str, str]
    files: Mapping[str, int]

    def to_json(self) -> str:
        """The card as `card.json` holds it."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def to_markdown(self) -> str:
        """The card as `card.md` holds it."""
        invariant = (
            "does not depend on the other texts of its batch"
            if self.agreement.batch_invariant
            else "depends a little on the other texts of its batch "
            f"(cosine {self.agreement.batch_cosine_min:.4f} at worst)"
        )
        lines = [
            f"# {self.model}",
            "",
            f"{self.precision} export of the sentence-transformers model `{self.source}`.",
            "Input `text`: TYPE_STRING, shape (rows, 1). "
            "Output `embedding`: TYPE_FP32, shape (rows, dimension).",
            "",
            table([self]),
            "",
            f"- Cosine: to the source's own embeddings of {self.texts} built-in texts: ordinary",
            "  sentences, empty and long texts, code, symbols, several scripts. They come from",
            "  torch and transformers with the source's weights; which pooling, longest input and",
            "  lower case to use is export's reading of the folder, which is not judged here.",
            f"- An embedding {invariant}.",
            "- Throughput: tokenizer and onnxruntime in one process, not through Triton;",
            f"  {self.batch_size} ordinary sentences a batch, {self.threads or 'all'} threads.",
            f"- Machine: {', '.join(f'{k} {v}' for k, v in self.machine.items())}.",
            f"- Versions: {', '.join(f'{k} {v}' for k, v in self.versions.items())}.",
            f"- Source sha256: `{self.source_digest}`.",
            f"- Made {self.created} by `{self.command}`.",
        ]
        return "\n".join(lines) + "\n"


def read_card(path: Path) -> Card | None:
    """
    Read a `card.json`; None where there is none.

    Raises:
        RepositoryError: If the file is not a card of this version of tritonkit.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RepositoryError(f"{path} cannot be read as a card: {error}.") from error
    try:
        return Card(**{**values, "agreement": Agreement(**values["agreement"])})
    except (TypeError, KeyError) as error:
        wanted = ", ".join(f.name for f in fields(Card))
        raise RepositoryError(f"{path} is no card, which holds {wanted}: {error}.") from error


def table(cards: Sequence[Card]) -> str:
    """The measured quantities, a row for each card, as a Markdown table."""
    head = (
        "model",
        "precision",
        "size",
        "smaller",
        "cosine mean",
        "cosine min",
        "texts/s",
        "faster",
    )
    rows = [
        (
            card.model,
            card.precision,
            format_size(card.size_bytes),
            f"{card.times_smaller:.2f}x",
            f"{card.agreement.cosine_mean:.4f}",
            f"{card.agreement.cosine_min:.4f}",
            f"{card.texts_per_second:.0f}",
            f"{card.times_faster:.2f}x",
        )
        for card in cards
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = [
        "-" * width if i < _WORDS else "-" * (width - 1) + ":" for i, width in enumerate(widths)
    ]
    return "\n".join(_line(cells, widths) for cells in (head, rule, *rows))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    words = [cell.ljust(width) for cell, width in zip(cells[:_WORDS], widths, strict=False)]
    numbers = [
        cell.rjust(width) for cell, width in zip(cells[_WORDS:], widths[_WORDS:], strict=True)
    ]
    return f"| {' | '.join(words + numbers)} |"
