"""A config.pbtxt as text: its configuration, its faults, and where each value stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME, ModelConfig
from tritonkit.repository.text.fault import Fault, Flaw, Place
from tritonkit.repository.text.grammar import parse_tree
from tritonkit.repository.text.lines import Lines
from tritonkit.repository.text.meaning import read_message
from tritonkit.repository.text.tokens import MOST_TOKENS, Tokens
from tritonkit.repository.text.tree import Block
from tritonkit.repository.text.walk import PathPart, enclosing

__all__ = ["Document"]

_LARGEST = 64 << 20
_MOST_FAULTS = 200

# Half characters that no bytes of a file decode to.
_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


@dataclass(frozen=True, slots=True)
class Document:
    """
    The text of a config.pbtxt, and what it means to Triton.

    Args:
        text: The text itself.
        source: Where it comes from.
        config: What it means; None where Triton would refuse the text.
        partial: What is left of the configuration where what is at fault is left out.
        faults: Everything for which Triton refuses the text, in its order.
    """

    text: str
    source: str
    config: ModelConfig | None
    partial: ModelConfig
    faults: tuple[Fault, ...]
    _root: Block = field(repr=False, compare=False)
    _lines: Lines = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, *, source: str) -> Document:
        """
        Read a text; none is refused, and what is wrong with it is in `faults`.

        Args:
            text: Protobuf text format. Bytes that are no UTF-8 may stand in it as
                Python's "surrogateescape" decodes them.
            source: Where the text comes from.
        """
        text = _LONE.sub("\ufffd", text)
        tokens = Tokens.of(text)
        lines = Lines(text)
        root, flaws = parse_tree(tokens)
        partial = ModelConfig()
        wrong = list(tokens.errors())
        # What is no token is no value either: it is said once.
        told = {flaw.offset for flaw in wrong if flaw.offset != flaw.triton_offset} | {
            flaw.offset for flaw in wrong if text[flaw.offset : flaw.offset + 1] > "\x7f"
        }
        flaws += read_message(text, lines, root, partial)
        flaws = wrong + [flaw for flaw in flaws if flaw.triton_offset not in told]
        if not tokens.whole:
            flaws.append(
                Flaw(f"there are more than {MOST_TOKENS:,} words; the rest is not read", root.end)
            )
        flaws.sort(key=lambda flaw: max(flaw.triton_offset, flaw.offset))
        faults = tuple(_fault(flaw, lines) for flaw in flaws[:_MOST_FAULTS])
        if len(flaws) > _MOST_FAULTS:
            place = lines.place(flaws[_MOST_FAULTS].offset)
            left = len(flaws) - _MOST_FAULTS
            faults += (Fault(f"{left} more faults follow", place.line, place.column),)
        return cls(text, source, None if faults else partial, partial, faults, root, lines)

    @classmethod
    def read(cls, path: Path) -> Document:
        """
        Read a file, or the config.pbtxt of a model directory.

        Raises:
            RepositoryError: If it cannot be read, or is larger than 64 MiB.
        """
        file = path / CONFIG_NAME if path.is_dir() else path
        try:
            with file.open("rb") as stream:
                content = stream.read(_LARGEST + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RepositoryError(f"{file} cannot be read: {reason}.") from error
        if len(content) > _LARGEST:
            raise RepositoryError(f"{file} is larger than 64 MiB; no configuration is.")
        return cls.parse(content.decode("utf-8", "surrogateescape"), source=str(file))

    def place(self, *path: PathPart) -> Place:
        """
        Where a value stands; of a block, its name, or its brace where it stands in a list.

        Args:
            path: Names of fields, numbers in repeated ones from 0, and keys of maps:
                ("input", 0, "dims", 1), ("parameters", "key", "string_value"). What is
                not in the text stands where the nearest thing around it does, and the
                whole at the first line and column.
        """
        found, offset = enclosing(self.text, self._root, ModelConfig.DESCRIPTOR, path)
        return self._lines.place(offset) if found else Place(1, 1)

    def has(self, *path: PathPart) -> bool:
        """Whether the text has what *path* names; an absent field may still have a default."""
        found, _ = enclosing(self.text, self._root, ModelConfig.DESCRIPTOR, path)
        return found == len(path)


def _fault(flaw: Flaw, lines: Lines) -> Fault:
    place = lines.place(flaw.offset)
    triton = ""
    if flaw.triton:
        at = lines.triton_place(flaw.triton_offset)
        triton = f"{at.line}:{at.column}: {flaw.triton}"
    return Fault(flaw.message, place.line, place.column, triton)
