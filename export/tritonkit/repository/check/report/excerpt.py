"""One line of a file, with a mark under what is meant."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["excerpt"]

_TAB = 4
# A word, a number, a string, or one character.
_TOKEN = re.compile(r"[\w.+-]+|\"[^\"]*\"|'[^']*'|.")


def excerpt(line: str, column: int, width: int) -> tuple[str, str]:
    """
    What of *line* can be shown, and the marks that stand under its token.

    Args:
        line: Without its end. Tabs become spaces, what cannot be shown a question mark.
        column: Where the token begins, in characters, counted from 1.
        width: Columns there are for it; of a longer line its surroundings are shown.

    Returns:
        Both without spaces at the end.
    """
    start = min(column - 1, len(line))
    token = _TOKEN.match(line, start)
    end = token.end() if token else start + 1
    first = max(0, min(start - width // 3, len(line) - width))
    before = _shown(line[first:start])
    meant = _shown(line[start:end])
    after = _shown(line[end : first + width])
    lead = "..." if first else ""
    trail = "..." if first + width < len(line) else ""
    indent = "" if lead else before[: len(before) - len(before.lstrip())]
    text = f"{lead}{before}{meant}{after}"[len(indent) :]
    text = _fitting(text, width) + trail if trail or _columns(text) > width else text
    mark = " " * _columns(f"{lead}{before}"[len(indent) :])
    return text.rstrip(), f"{mark}{'^' * max(1, min(_columns(meant), width - len(mark)))}"


def _shown(text: str) -> str:
    expanded = text.replace("\t", " " * _TAB)
    return "".join(c if c.isprintable() else "?" for c in expanded)


def _fitting(text: str, columns: int) -> str:
    while _columns(text) > columns:
        text = text[:-1]
    return text


def _columns(text: str) -> int:
    """How many columns of a terminal *text* takes."""
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
