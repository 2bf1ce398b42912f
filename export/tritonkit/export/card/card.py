"""The card of an exported model: what it is, what was measured, under which conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.export.accuracy.accuracy import Accuracy
from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.card.values import from_values, to_values
from tritonkit.export.search.candidate import Speed

__all__ = [
    "CARD_JSON",
    "CARD_MARKDOWN",
    "CARD_PICTURE",
    "CHOSEN",
    "Card",
    "TriedRecipe",
    "read_card",
]

CARD_JSON = "card.json"
CARD_MARKDOWN = "card.md"
CARD_PICTURE = "front.svg"

CHOSEN = "chosen"
"""Verdict on the recipe that is served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedRecipe:
    """
    One recipe that was tried for a model, and what came of it.

    Args:
        recipe: Its name.
        size_bytes: Size of its ONNX file; None where it could not be made.
        times_smaller: The size of fp32 divided by its own.
        times_faster: Throughput divided by that of fp32, by batch size.
        value: The task's metric.
        loss: Share of the task's metric that is lost.
        agreement: Share of samples with the source's class or neighbour.
        cosine_mean: Mean cosine to the source.
        batch_invariant: Whether an answer does not depend on its batch.
        on_front: Whether no other is smaller, faster and more accurate at once.
        verdict: CHOSEN, or what keeps it from being chosen or measured.
    """

    recipe: str
    size_bytes: int | None = None
    times_smaller: float | None = None
    times_faster: Mapping[int, float] | None = None
    value: float | None = None
    loss: float | None = None
    agreement: float | None = None
    cosine_mean: float | None = None
    batch_invariant: bool | None = None
    on_front: bool = False
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """
    One exported model.

    Args:
        model: The model that clients call.
        version: Its version.
        variant: What was asked for: a precision, "auto", or a tier.
        recipe: What it became, such as "int8" or "w8 block 32".
        summary: What the recipe does.
        reason: Why it was chosen.
        advice: What the choice means on another machine.
        source: Name of the source's folder or file.
        source_kind: What the source is.
        source_digest: sha256 over the source.
        notes: What else is to be known of the source.
        fingerprint: sha256 over source, options, samples and the export's own code;
            equal fingerprints make models of equal answers. Empty where the search for the
            best was interrupted: the same command would search again.
        command: The command that makes it again; empty for an object in memory.
        created: When, UTC, ISO 8601.
        inputs: What clients send: data type and dims by name, without the batch axis.
        outputs: What they receive.
        size_bytes: Size of the ONNX file.
        times_smaller: The size of fp32 divided by it.
        accuracy: Against the source's own answers.
        budget: What was allowed to be lost.
        speed: In one process, not through Triton; None where it was not measured.
        threads: Threads of a run; 0 for every core.
        tried: Every recipe that was tried along with it.
        opset: Of the ONNX file.
        onnxruntime: The oldest onnxruntime that loads it.
        triton: The Triton releases that carry such a one.
        machine: Where it was measured.
        versions: Packages that took part.
        files: Size of each file in bytes, by its path in the repository.
    """

    model: str
    version: int
    variant: str
    recipe: str
    summary: str
    reason: str
    advice: str
    source: str
    source_kind: str
    source_digest: str
    notes: tuple[str, ...]
    fingerprint: str
    command: str
    created: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    size_bytes: int
    times_smaller: float
    accuracy: Accuracy
    budget: Budget
    speed: Speed | None
    threads: int
    tried: tuple[TriedRecipe, ...]
    opset: int
    onnxruntime: str
    triton: str
    machine: Mapping[str, str | int]
    versions: Mapping[str, str]
    files: Mapping[str, int]

    def to_json(self) -> str:
        """The card as `card.json` holds it."""
        return json.dumps(to_values(self), indent=2) + "\n"


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
        card: Card = from_values(Card, values)
    except (TypeError, ValueError) as error:
        raise RepositoryError(f"{path} is no card of this version: {error}.") from error
    return card
