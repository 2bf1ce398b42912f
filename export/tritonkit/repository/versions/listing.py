"""What stands in a repository, as people and programs read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from tritonkit.repository.shown import shown
from tritonkit.repository.versions.inventory import ModelEntry, VersionEntry
from tritonkit.units import format_size

__all__ = ["inventory_json", "inventory_text"]

_NO_TEXT = re.compile("[\ud800-\udfff]")
_HEADER = ("model", "backend", "version", "state", "size", "precision", "identity", "card")
_RIGHT = (2, 4)
_ALWAYS = 5
"""Columns that are there also where they are empty."""


def inventory_json(repository: str, models: Sequence[ModelEntry]) -> str:
    """JSON of the fields of `ModelEntry`."""
    content = {"repository": repository, "models": [asdict(model) for model in models]}
    text = json.dumps(content, indent=2, ensure_ascii=False)
    # A folder's name may be no text, which JSON can hold, and a terminal cannot.
    return _NO_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def inventory_text(repository: str, models: Sequence[ModelEntry]) -> str:
    """A table of versions, and below it what it does not hold."""
    readable = [model for model in models if not model.error]
    lines = list(_table(readable)) if readable else []
    lines += _notes(models)
    lines.append(_summary(repository, models))
    return "\n".join(lines)


def _table(models: Sequence[ModelEntry]) -> Iterator[str]:
    rows = [_HEADER]
    for model in models:
        named = (shown(model.name), shown(model.backend) or "unknown")
        for version in model.versions:
            rows.append((*named, *_cells(version)))
            named = ("", "")
        if not model.versions:
            rows.append((*named, "", "no version", format_size(model.size_bytes), "", "", ""))
    columns = [
        column
        for column in range(len(_HEADER))
        if column < _ALWAYS or any(row[column] for row in rows[1:])
    ]
    widths = {column: max(len(row[column]) for row in rows) for column in columns}
    for row in rows:
        cells = (
            row[column].rjust(width) if column in _RIGHT else row[column].ljust(width)
            for column, width in widths.items()
        )
        yield "  ".join(cells).rstrip()
    yield ""


def _cells(version: VersionEntry) -> tuple[str, str, str, str, str, str]:
    if version.answering:
        state = "served"
    elif version.served:
        state = "served if asked for"
    else:
        state = "served before" if version.before else ""
    return (
        str(version.version),
        state,
        format_size(version.size_bytes),
        shown(version.precision),
        shown(version.identity[:12]),
        shown(version.card.line()) if version.card else "",
    )


def _notes(models: Sequence[ModelEntry]) -> list[str]:
    notes = []
    for model in models:
        if model.steps:
            steps = ", ".join(
                step.model if step.version < 0 else f"{step.model} version {step.version}"
                for step in model.steps
            )
            notes.append(f"{model.name} calls {steps}.")
        notes += [
            f"{model.name}/{ignored.name} is not served: {ignored.reason}."
            for ignored in model.ignored
        ]
        if model.versions and not any(version.served for version in model.versions):
            notes.append(f"{model.name} serves no version: its version_policy is {model.policy}.")
        if model.error:
            notes.append(f"{model.name} cannot be read: {model.error}")
    return [*(shown(note, lines=True) for note in notes), ""] if notes else []


def _summary(repository: str, models: Sequence[ModelEntry]) -> str:
    versions = sum(len(model.versions) for model in models)
    size = format_size(sum(model.size_bytes for model in models))
    unreadable = sum(bool(model.error) for model in models)
    parts = [_count(len(models), "model"), _count(versions, "version"), size]
    if unreadable:
        parts.append(f"{unreadable} that cannot be read")
    return f"{repository}: {', '.join(parts)}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
