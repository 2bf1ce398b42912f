"""Comments that say which findings to leave."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Ignored", "ignored_in"]

_MARK = re.compile(
    r"#\s*tritonkit:\s*ignore(?P<file>-file)?\s+(?P<ids>TK\d{3}(?:[\s,]+TK\d{3})*)", re.ASCII
)
_ID = re.compile(r"TK\d{3}", re.ASCII)
# What stands before a comment: no "#" but in a string.
_BEFORE = re.compile(r"""(?:[^#"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*""")


@dataclass(frozen=True, slots=True)
class Ignored:
    """
    What the comments of one configuration say to leave.

    Args:
        everywhere: Ids of rules that are left in the whole file.
        lines: Ids of rules by the line that they are left in, counted from 1.
    """

    everywhere: frozenset[str]
    lines: dict[int, frozenset[str]]

    def covers(self, id: str, line: int | None) -> bool:
        """Whether a finding of rule *id* at *line* is to be left."""
        return id in self.everywhere or id in self.lines.get(line or 0, ())


def ignored_in(text: str) -> Ignored:
    """
    Read the comments of a configuration.

    "# tritonkit: ignore TK071, TK072" stands on the line that it speaks of, or above it on
    lines that hold nothing else; "# tritonkit: ignore-file TK071" anywhere.
    """
    if "tritonkit:" not in text:
        return Ignored(frozenset(), {})
    everywhere: set[str] = set()
    lines: dict[int, frozenset[str]] = {}
    above: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        before = _BEFORE.match(line)
        mark = _MARK.match(line, before.end() if before else 0)
        ids = set(_ID.findall(mark["ids"])) if mark else set()
        if mark and mark["file"]:
            everywhere |= ids
            ids = set()
        if line.lstrip().startswith("#"):
            above |= ids
        elif line.strip():
            lines[number] = frozenset(above | ids)
            above = set()
    return Ignored(frozenset(everywhere), lines)
