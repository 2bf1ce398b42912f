"""What was tried for a model as a table, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tritonkit.export.card.card import CHOSEN, Card, TriedRecipe
from tritonkit.export.markdown_table import markdown_table
from tritonkit.units import format_size

__all__ = ["tried_table"]


def tried_table(card: Card) -> str:
    """
    A row for each recipe that was measured, and below it what was chosen and what could not be.

    "smaller" and "faster" are times, beside fp32; in brackets the rows of a batch.
    "invariant": an answer does not depend on its batch. "front": no other recipe is
    smaller, faster and more accurate at once.

    Returns:
        Markdown, its columns padded so that it reads as well in a terminal; empty where
        nothing was tried beside the one that is served.
    """
    if len(card.tried) < 2:
        return ""
    measured = [one for one in card.tried if one.size_bytes is not None]
    batches = sorted({rows for one in measured for rows in one.times_faster or {}})
    header = [
        "recipe",
        "size",
        "smaller",
        *(f"faster ({rows})" for rows in batches),
        card.accuracy.metric,
        "loss",
        "agreement",
        "cosine",
        "invariant",
        "front",
    ]
    rows = [list(_cells(one, batches)) for one in measured]
    lines = [markdown_table(header, rows), "", f"Chosen: {card.recipe}: {card.reason}."]
    refused = [f"- {one.recipe}: {one.verdict}" for one in measured if one.verdict not in _FINE]
    if refused:
        lines += ["", "Not to be chosen:", "", *refused]
    absent = [one for one in card.tried if one.size_bytes is None]
    if absent:
        lines += ["", "Not measured:", "", *_by_verdict(absent)]
    return "\n".join(lines)


_FINE = ("", CHOSEN)


def _cells(one: TriedRecipe, batches: Iterable[int]) -> Iterator[str]:
    yield f"**{one.recipe}**" if one.verdict == CHOSEN else one.recipe
    yield format_size(one.size_bytes or 0)
    yield _number(one.times_smaller, ".2f", "x")
    for rows in batches:
        yield _number((one.times_faster or {}).get(rows), ".2f", "x")
    yield _number(one.value, ".4f")
    yield _number(one.loss, ".2%")
    yield _number(one.agreement, ".1%")
    yield _number(one.cosine_mean, ".4f")
    yield "yes" if one.batch_invariant else "no"
    yield "yes" if one.on_front else ""


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "" if value is None else f"{value:{form}}{unit}"


def _by_verdict(absent: Iterable[TriedRecipe]) -> Iterator[str]:
    """A line for all that share a reason; those that failed have one each."""
    names: dict[str, list[str]] = {}
    for one in absent:
        names.setdefault(one.verdict, []).append(one.recipe)
    for verdict, recipes in names.items():
        # A reason may have several lines, of which the first tells what it is.
        first, *_ = verdict.strip().splitlines() or [""]
        yield f"- {', '.join(recipes)}: {first}"
