"""Candidates as a table, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.export.markdown_table import markdown_table
from tritonkit.export.search.candidate import Candidate
from tritonkit.export.search.choice import Choice
from tritonkit.units import format_size

__all__ = ["front_table"]


def front_table(candidates: Sequence[Candidate], front: Sequence[Candidate], choice: Choice) -> str:
    """
    A row for each candidate, and below it what was chosen and what could not be.

    "smaller" and "faster" are times, beside fp32; in brackets the rows of a batch.
    "invariant": an answer does not depend on its batch.

    Returns:
        Markdown, its columns padded so that it reads as well in a terminal.
    """
    if not candidates:
        return ""
    first = candidates[0]
    header = [
        "recipe",
        "size",
        "smaller",
        *(f"faster ({rows})" for rows in sorted(first.speed.times_faster)),
        first.accuracy.metric,
        "loss",
        "agreement",
        "cosine",
        "invariant",
        "front",
    ]
    on_front = {candidate.recipe for candidate in front}
    chosen = choice.candidate.recipe if choice.candidate else None
    rows = [
        [
            f"**{one.recipe}**" if one.recipe == chosen else one.recipe,
            format_size(one.size_bytes),
            f"{one.times_smaller:.2f}x",
            *(f"{one.speed.times_faster[size]:.2f}x" for size in sorted(one.speed.times_faster)),
            f"{one.accuracy.value:.4f}",
            f"{one.accuracy.loss:.2%}",
            f"{one.accuracy.agreement:.1%}",
            f"{one.accuracy.cosine_mean:.4f}",
            "yes" if one.accuracy.batch.invariant else "no",
            "yes" if one.recipe in on_front else "",
        ]
        for one in candidates
    ]
    verdict = (
        f"Chosen: {chosen}: {choice.reason}." if chosen else f"Nothing chosen: {choice.reason}."
    )
    lines = [markdown_table(header, rows), "", verdict]
    if choice.refused:
        lines += ["", "Not to be chosen:", ""]
        lines += [f"- {recipe}: {why}" for recipe, why in choice.refused.items()]
    return "\n".join(lines)
