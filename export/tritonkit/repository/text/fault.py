"""What is wrong with a text, and where."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MOST_FLAWS", "Fault", "Flaw", "Place"]

MOST_FLAWS = 200
"""How many faults of a text are told; who has more mends some first."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text; line and column count characters, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Something that is wrong with a configuration's text.

    Args:
        message: What is wrong, and what would be right.
        line: Counted from 1.
        column: In characters, counted from 1.
        triton: What Triton's log says after "Error parsing text-format
            inference.ModelConfig: ", "3:5: ..." It names only the first of several
            faults and counts bytes, and a tab as up to eight. Empty where it says
            nothing.
    """

    message: str
    line: int
    column: int
    triton: str = ""

    @property
    def sentence(self) -> str:
        """The message with what ends a sentence."""
        return self.message if self.message.endswith("?") else f"{self.message}."


@dataclass(frozen=True, slots=True)
class Flaw:
    """
    A fault before its place is counted.

    Args:
        message: As of `Fault`.
        offset: Where it stands, as an index into the text.
        triton: What Triton's parser says, without its place.
        triton_offset: Where Triton's parser stands when it says so.
        refused: Whether Triton refuses the text for it.
        instead: What is read in the place of text that is no UTF-8.
    """

    message: str
    offset: int
    triton: str = ""
    triton_offset: int = -1
    refused: bool = True
    instead: str | None = None
