"""What a rule finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tritonkit.repository.check.fix.fix import Fix
    from tritonkit.repository.check.rule import Rule

__all__ = ["Finding", "Found", "Severity", "sentence"]

# A word of the language, and no name of a field or a file.
_WORD = re.compile(r"[a-z]+(?=[ ,:;-])", re.ASCII)


def sentence(text: str) -> str:
    """*text* with a capital where it begins with a word; names stay as they are."""
    return text[:1].upper() + text[1:] if _WORD.match(text) else text


class Severity(StrEnum):
    """What comes of a mistake."""

    ERROR = "error"
    """Triton refuses the model."""
    REQUEST = "request"
    """The model loads, and requests to it fail."""
    WARNING = "warning"
    """The model loads, and is served otherwise than its author meant."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    What a rule says of one mistake.

    Args:
        path: Where it stands in the configuration, as `Document.place` takes it:
            `("input", 0, "dims", 1)`; empty for the whole file.
        message: What is wrong, in one sentence that names the value.
        advice: What to do, in one sentence.
        triton: What Triton answers, word for word; empty where it says nothing.
        tensor: The tensor concerned.
        value: The value that is wrong, as the configuration has it.
        file: The file concerned, where it is not the configuration; also the configuration,
            where `line` says more than `path`.
        line: Where in `file`, counted from 1.
        column: In characters, counted from 1.
        fix: The repair, where only one is right.
    """

    path: tuple[str | int, ...]
    message: str
    advice: str
    triton: str = ""
    tensor: str = ""
    value: str = ""
    file: Path | None = None
    line: int | None = None
    column: int | None = None
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One mistake, by which rule and where.

    Args:
        rule: The rule.
        model: Name of the model.
        file: The file that it stands in.
        line: Counted from 1; None where the file is not text or is not there.
        column: Counted from 1; None with the line.
        found: What the rule says.
        source: The line's text, without its end.
    """

    rule: Rule
    model: str
    file: Path
    line: int | None
    column: int | None
    found: Found
    source: str = ""

    @property
    def severity(self) -> Severity:
        """What comes of the mistake."""
        return self.rule.severity
