"""Lines and columns of a text's characters."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from functools import cached_property

from tritonkit.repository.text.fault import Place

__all__ = ["Lines"]

_TAB = 8


class Lines:
    """
    Where the lines of a text begin.

    Lines end at line feeds only, as for Triton's parser.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._asked: dict[int, str] = {}
        self._counted = (0, 0)

    @cached_property
    def _starts(self) -> array[int]:
        # Most texts are right, and nobody asks.
        starts = array("Q", [0])
        starts.extend(match.end() for match in re.finditer("\n", self._text))
        return starts

    def place(self, offset: int) -> Place:
        """Line and column of a character, both from 1."""
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """A line without its end, counted from 1; empty where there is none."""
        if not 1 <= number <= len(self._starts):
            return ""
        line = self._asked.get(number)
        if line is None:
            start = self._starts[number - 1]
            end = self._text.find("\n", start)
            line = self._text[start : end if end >= 0 else None].rstrip("\r")
            # One string for all that is wrong in it: a long line may hold thousands of faults.
            self._asked[number] = line
        return line

    def triton_place(self, offset: int) -> Place:
        """The same as Triton counts it: in bytes of UTF-8, a tab up to the next eighth column."""
        line = bisect_right(self._starts, offset)
        at, column = self._counted
        # On from where it was asked last: a line of megabytes may hold hundreds of faults.
        if not self._starts[line - 1] <= at <= offset:
            at, column = self._starts[line - 1], 0
        *before, last = self._text[at:offset].encode("utf-8", "surrogateescape").split(b"\t")
        for part in before:
            column += len(part)
            column += _TAB - column % _TAB
        column += len(last)
        self._counted = offset, column
        return Place(line, column + 1)
