"""Markdown tables that read well as plain text too."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["markdown_table"]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """
    A table with columns of one width.

    Args:
        head: Names of the columns.
        rows: Cells, as many as there are names. "|" in them is escaped; line breaks and other
            space become one blank.
        words: How many columns, from the left, hold words; the others are numbers and
            stand to the right.
    """
    cells = [[_cell(text) for text in row] for row in (head, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * width if i < words else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    lines = [_aligned(row, widths, words) for row in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def _cell(text: str) -> str:
    """A bar would end the cell; a line break the row."""
    return " ".join(text.replace("|", "\\|").split())


def _aligned(row: Sequence[str], widths: Sequence[int], words: int) -> list[str]:
    return [
        cell.ljust(width) if i < words else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
