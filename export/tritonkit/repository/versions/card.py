"""What ls tells of the card that export writes beside a model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tritonkit.repository.regular import read_regular

__all__ = ["CARD_FILES", "CardSummary", "read_card_summary"]

CARD_FILES = ("card.json", "card.md", "front.svg")
"""What export writes into a version's folder beside the model's own files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSummary:
    """
    A card in short; None where a value is not in it.

    Args:
        precision: The recipe, such as "int8".
        created: When the model was made, UTC, ISO 8601.
        metric: The task's metric.
        value: Its value.
        loss: Share of the source's own value that is lost.
        cosine: Mean cosine to the source's answers.
        batch_invariant: Whether an answer does not depend on its batch.
        times_smaller: The size of fp32 divided by its own.
        times_faster: Throughput divided by that of fp32, at the largest batch.
        files: The files it speaks of, by their path in the repository.
    """

    precision: str = ""
    created: str = ""
    metric: str = ""
    value: float | None = None
    loss: float | None = None
    cosine: float | None = None
    batch_invariant: bool | None = None
    times_smaller: float | None = None
    times_faster: float | None = None
    files: tuple[str, ...] = ()

    def line(self) -> str:
        """Accuracy and speed in a line."""
        return ", ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        if self.metric and self.value is not None:
            yield f"{self.metric} {self.value:.4f}"
        if self.loss is not None:
            yield f"lost {self.loss:.2%}"
        if self.times_smaller is not None:
            yield f"{self.times_smaller:.2f}x smaller"
        if self.times_faster is not None:
            yield f"{self.times_faster:.2f}x faster"


def read_card_summary(folder: Path) -> CardSummary | None:
    """
    The card in the version folder *folder*; None where there is none that can be read.

    A card of another version of tritonkit tells what it has in common with this one's.
    """
    try:
        card = json.loads(read_regular(folder / CARD_FILES[0]))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(card, dict):
        return None
    accuracy, speed, batch = (
        _mapping(card, "accuracy"),
        _mapping(card, "speed"),
        _mapping(_mapping(card, "accuracy"), "batch"),
    )
    invariant = batch.get("invariant")
    return CardSummary(
        precision=_text(card, "recipe"),
        created=_text(card, "created"),
        metric=_text(accuracy, "metric"),
        value=_number(accuracy, "value"),
        loss=_loss(accuracy),
        cosine=_number(accuracy, "cosine_mean"),
        batch_invariant=invariant if isinstance(invariant, bool) else None,
        times_smaller=_number(card, "times_smaller"),
        times_faster=_throughput(_mapping(speed, "times_faster")),
        files=tuple(_mapping(card, "files")),
    )


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _text(values: Mapping[str, Any], name: str) -> str:
    found = values.get(name)
    return found if isinstance(found, str) else ""


def _number(values: Mapping[str, Any], name: str) -> float | None:
    found = values.get(name)
    plain = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if plain else None  # type: ignore[arg-type]  # a number, as was looked at


def _loss(accuracy: Mapping[str, Any]) -> float | None:
    value, source = _number(accuracy, "value"), _number(accuracy, "source_value")
    if value is None or source is None or not source:
        return None
    return (source - value) / abs(source)


def _throughput(by_batch: Mapping[str, Any]) -> float | None:
    batches = [batch for batch in by_batch if batch.isascii() and batch.isdecimal()]
    return _number(by_batch, max(batches, key=int)) if batches else None
