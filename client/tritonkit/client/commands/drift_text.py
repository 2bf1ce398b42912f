"""What `tritonkit drift` says of profiles and of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tritonkit.client.commands.table import table
from tritonkit.client.drift.check import Check
from tritonkit.client.drift.numeric import Numeric
from tritonkit.client.drift.profile import Profile

__all__ = ["described", "findings"]


def described(made: Profile, path: Path) -> str:
    """What a profile was made of, and what it can see."""
    smallest, largest = made.scales[0], made.scales[-1]
    lines = [
        f"{path}: {made.rows} rows of {made.model!r}, {len(made.watched)} features, windows of "
        f"{smallest} to {largest} rows."
    ]
    numbers = [it for it in made.watched if isinstance(it.feature, Numeric)]
    if numbers:
        least = [
            max(it.feature.threshold + it.noise.windows[place] for it in numbers)
            + max(it.noise.reference for it in numbers)
            for place in (0, -1)
        ]
        lines.append(
            f"A number is far away at {least[0]:.2f} standard deviations in a window of "
            f"{smallest} rows, at {least[1]:.2f} in one of {largest}."
        )
    if made.accuracy is not None:
        lines.append(f"Accuracy: {made.accuracy:.2%} of {made.labels} labels.")
    elif made.classes:
        lines.append(
            f"No labels: the confidence of {made.classes!r} is taken at its word, "
            f"{made.expected:.2%}."
        )
    if made.agreement is not None:
        lines.append(f"Agreement with the better model: {made.agreement:.2%}.")
    return "\n".join(lines)


def findings(found: Check) -> str:
    """A table of features, the furthest away first, and the accuracies."""
    head = ("feature", "measure", "distance", "allowed", "drift", "what has changed most")
    rows: list[tuple[Any, ...]] = [head]
    for it in sorted(found.findings, key=lambda it: it.allowed - it.distance):
        verdict = "yes" if it.drifted else "no"
        change = it.change if it.drifted else ""
        numbers = f"{it.distance:.3f}", f"{it.allowed:.3f}"
        rows.append((it.feature, it.measure, *numbers, verdict, change))
    lines = [table(rows, right=(2, 3)), ""]
    if found.estimated is not None and found.expected is not None:
        value, low, high = found.estimated
        lines.append(
            f"Accuracy that confidence promises: {value:.1%} ({low:.1%} to {high:.1%}); of the "
            f"reference {found.expected:.1%}."
        )
    if found.accuracy is not None:
        before = "" if found.reference is None else f"; of the reference {found.reference:.1%}"
        lines.append(f"Accuracy by labels: {found.accuracy:.1%}{before}.")
    count = sum(it.drifted for it in found.findings)
    fallen = " The accuracy has fallen." if found.fallen else ""
    lines.append(
        f"{found.rows} rows of {found.model!r}: {count} of {len(found.findings)} features have "
        f"drifted.{fallen}"
    )
    return "\n".join(lines)
