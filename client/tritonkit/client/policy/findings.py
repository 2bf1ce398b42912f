"""What is wrong with a policy file, all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

__all__ = ["Finding", "meant", "one_of", "quoted"]

_MOST = 200
"""Of characters of a value in a message."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """
    One thing that is wrong.

    Args:
        line: Counted from 1; 0 where it is about the file.
        key: Where, such as "layers[0].ttl"; empty for all of the file.
        message: What is wrong, with the value, and what would be right.
    """

    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.key}: {self.message}" if self.key else self._bare()

    def _bare(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


def meant(wrong: str, right: Iterable[str]) -> str:
    """' Did you mean ...?', or nothing where none comes close."""
    close = get_close_matches(wrong.replace("-", "_").lower(), sorted(right), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def one_of(names: Sequence[str]) -> str:
    """The names, as the end of a sentence."""
    return ", ".join(sorted(names)) or "nothing"


def quoted(value: object) -> str:
    """A value of the file in a message: not all of it, where it is long."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of too many digits"
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."
