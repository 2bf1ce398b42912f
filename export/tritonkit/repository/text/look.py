"""How a text looks around a place: its lines, their indentation, and what stands on them."""

from __future__ import annotations

import re

__all__ = ["after_line", "indentation", "is_first_on_line", "line_end", "line_start", "newline_of"]

_BLANK = " \t\r\v\f"
_REST = re.compile(r"[ \t\r\v\f,;]*(?:#[^\n]*)?(?:\n|\Z)")


def line_start(text: str, offset: int) -> int:
    """Where the line of *offset* begins."""
    return text.rfind("\n", 0, offset) + 1


def line_end(text: str, offset: int) -> int:
    """Where the line of *offset* ends, before its line feed."""
    end = text.find("\n", offset)
    return len(text) if end < 0 else end


def is_first_on_line(text: str, offset: int) -> bool:
    """Whether only blanks stand before *offset* on its line."""
    return not text[line_start(text, offset) : offset].strip(_BLANK)


def indentation(text: str, offset: int) -> str:
    """The blanks that the line of *offset* begins with."""
    start = line_start(text, offset)
    line = text[start : line_end(text, offset)]
    return line[: len(line) - len(line.lstrip(" \t"))]


def after_line(text: str, offset: int) -> int | None:
    """Where the next line begins, if nothing but a comment follows *offset* on this one."""
    rest = _REST.match(text, offset)
    return rest.end() if rest else None


def newline_of(text: str) -> str:
    """What ends the lines of *text*."""
    return "\r\n" if "\r\n" in text else "\n"
