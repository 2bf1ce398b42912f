"""A config.pbtxt as text: its configuration, its faults, and where each value stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.config import CONFIG_NAME, ModelConfig
from tritonkit.repository.regular import read_regular
from tritonkit.repository.shown import shown
from tritonkit.repository.text.fault import MOST_FLAWS, Fault, Flaw, Place
from tritonkit.repository.text.grammar import parse_tree
from tritonkit.repository.text.lines import Lines
from tritonkit.repository.text.meaning import read_message
from tritonkit.repository.text.since import ReleaseNumber
from tritonkit.repository.text.tokens import MOST_TOKENS, Tokens
from tritonkit.repository.text.tree import Block
from tritonkit.repository.text.walk import PathPart, enclosing

__all__ = ["LARGEST", "Document"]

LARGEST = 16 << 20
"""More bytes than any configuration has."""

_LONGEST = 500

# Half characters that no bytes of a file decode to.
_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


@dataclass(frozen=True, slots=True)
class Document:
    """
    The text of a config.pbtxt, and what it means to Triton.

    Args:
        text: The text itself.
        source: Where it comes from.
        config: What it means; None where Triton would refuse the text, or where it is too
            long to be read.
        partial: What is left of the configuration where what is at fault is left out.
        faults: Everything for which Triton refuses the text, in its order.
        doubts: What Triton's parser lets pass, though it can hardly be meant: strings that
            are no UTF-8, of which `config` has what can be read; and that a text is too
            long to be read here.
        root: The tree of the text.
    """

    text: str
    source: str
    config: ModelConfig | None
    partial: ModelConfig
    faults: tuple[Fault, ...]
    doubts: tuple[Fault, ...]
    root: Block = field(repr=False, compare=False)
    _lines: Lines = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, *, source: str, release: ReleaseNumber | None = None) -> Document:
        """
        Read a text; none is refused, and what is wrong with it is in `faults`.

        Args:
            text: Protobuf text format. Bytes that are no UTF-8 may stand in it as
                Python's "surrogateescape" decodes them.
            source: Where the text comes from.
            release: Year and month of the server's release, such as (24, 10): fields that
                came later are faults. None for a server that reads every field.
        """
        text = _LONE.sub("\ufffd", text)
        tokens = Tokens.of(text)
        lines = Lines(text)
        root, grammar = parse_tree(tokens)
        partial = ModelConfig()
        wrong = list(islice(tokens.errors(), MOST_FLAWS + 1))
        # What is no token is no value either: it is said once.
        told = {flaw.offset for flaw in wrong if flaw.offset != flaw.triton_offset} | {
            flaw.offset for flaw in wrong if text[flaw.offset : flaw.offset + 1] > "\x7f"
        }
        read = read_message(text, lines, root, partial, release)
        # Of two that stand at one place, Triton meets first what began before it, then what
        # is wrong for the field's type.
        ahead = [flaw for flaw in grammar if flaw.offset < flaw.triton_offset]
        here = [flaw for flaw in grammar if flaw.offset >= flaw.triton_offset]
        flaws = wrong + [flaw for flaw in (*ahead, *read, *here) if flaw.triton_offset not in told]
        if not tokens.whole:
            message = f"there are more than {MOST_TOKENS:,} words; the rest is not read"
            flaws.append(Flaw(message, root.end, refused=False))
        flaws.sort(key=lambda flaw: max(flaw.triton_offset, flaw.offset))
        faults = _faults([flaw for flaw in flaws if flaw.refused], lines)
        doubts = _faults([flaw for flaw in flaws if not flaw.refused], lines)
        config = partial if tokens.whole and not faults else None
        return cls(text, source, config, partial, faults, doubts, root, lines)

    @classmethod
    def read(cls, path: Path, *, release: ReleaseNumber | None = None) -> Document:
        """
        Read a file, or the config.pbtxt of a model directory.

        Args:
            path: The file or the directory.
            release: As of `parse`.

        Raises:
            RepositoryError: If it cannot be read, or is larger than 16 MiB.
        """
        file = path / CONFIG_NAME if path.is_dir() else path
        try:
            if file.name == CONFIG_NAME:
                content = read_regular(file, LARGEST + 1)
            else:
                # A shell hands over what another program prints as a pipe.
                with file.open("rb") as stream:
                    content = stream.read(LARGEST + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RepositoryError(f"{file} cannot be read: {reason}.") from error
        if len(content) > LARGEST:
            raise RepositoryError(f"{file} is larger than 16 MiB; no configuration is.")
        text = content.decode("utf-8", "surrogateescape")
        return cls.parse(text, source=str(file), release=release)

    def checked(self) -> ModelConfig:
        """
        The configuration.

        Raises:
            RepositoryError: If Triton would refuse the text; the message has a line for
                each fault, which starts with source:line:column.
        """
        if self.config is None:
            raise RepositoryError(
                "\n".join(
                    f"{self.source}:{fault.line}:{fault.column}: {shown(fault.sentence)}"
                    for fault in self.faults or self.doubts
                )
            )
        return self.config

    def place(self, *path: PathPart) -> Place:
        """
        Where a value stands; of a block, its name, or its brace where it stands in a list.

        Args:
            path: Names of fields, numbers in repeated ones from 0, and keys of maps:
                ("input", 0, "dims", 1), ("parameters", "key", "string_value"). What is
                not in the text stands where the nearest thing around it does, and the
                whole at the first line and column.
        """
        found, offset = enclosing(self.text, self.root, ModelConfig.DESCRIPTOR, path)
        return self._lines.place(offset) if found else Place(1, 1)

    def line(self, number: int) -> str:
        """A line of the text without its end, counted from 1; empty where there is none."""
        return self._lines.line(number)

    def has(self, *path: PathPart) -> bool:
        """Whether the text has what *path* names; an absent field may still have a default."""
        found, _ = enclosing(self.text, self.root, ModelConfig.DESCRIPTOR, path)
        return found == len(path)


def _faults(flaws: list[Flaw], lines: Lines) -> tuple[Fault, ...]:
    faults = tuple(_fault(flaw, lines) for flaw in flaws[:MOST_FLAWS])
    if len(flaws) <= MOST_FLAWS:
        return faults
    place = lines.place(flaws[MOST_FLAWS].offset)
    return (*faults, Fault("more is wrong from here on", place.line, place.column))


def _fault(flaw: Flaw, lines: Lines) -> Fault:
    place = lines.place(flaw.offset)
    triton = ""
    if flaw.triton:
        at = lines.triton_place(flaw.triton_offset)
        said = flaw.triton
        if len(said) > _LONGEST:
            said = f"{said[: _LONGEST - 3]}..."
        triton = f"{at.line}:{at.column}: {said}"
    return Fault(flaw.message, place.line, place.column, triton)
