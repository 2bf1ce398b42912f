"""Columns for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """
    Align cells in columns, two spaces apart.

    Args:
        rows: The first is the head; all of the same length.
        right: Columns of numbers, which end in line.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
