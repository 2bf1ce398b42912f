"""On which line of a TOML file each key stands; `tomllib` does not tell."""

from __future__ import annotations

import re
import tomllib
from typing import NamedTuple, TypeAlias

__all__ = ["Part", "Path", "dotted", "parts", "positions"]

Path: TypeAlias = tuple[str | int, ...]
"""Keys, and places in arrays: ("layers", 0, "ttl")."""

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")
# The longer first: three quotes are no empty string and a quote.
_STRINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'"""(?:\\.|[^\\])*?"{3,5}(?!")',
        r"'''.*?'{3,5}(?!')",
        r'"(?:\\.|[^"\\])*"',
        r"'[^']*'",
    )
)


def dotted(path: Path) -> str:
    """A path as people write it: layers[0].ttl."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE.fullmatch(part) else repr(part)
            text += f".{key}" if text else key
    return text


def positions(text: str) -> dict[Path, int]:
    """
    The line of each key, table and item of an array, counted from 1.

    Args:
        text: What `tomllib.loads` takes; of anything else the answer is anything.

    Raises:
        RecursionError: If arrays lie in each other too deep.
    """
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


class Part(NamedTuple):
    """
    A piece of a TOML file.

    Args:
        path: Of the table, the key or the item of an array.
        kind: "header", "pair" (key and value) or "item" (a value in an array).
        begin: Of its first character.
        end: Behind its last one.
    """

    path: Path
    kind: str
    begin: int
    end: int


def parts(text: str) -> list[Part]:
    """All headers, pairs and items of arrays, in the order in which they begin."""
    scanner = _Scanner(text)
    scanner.scan()
    return sorted(scanner.parts, key=lambda part: (part.begin, -part.end))


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self.parts: list[Part] = []
        self._text = text
        self._at = 0
        self._line, self._counted = 1, 0
        self._items: dict[Path, int] = {}

    def scan(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        line, begin = self._now(), self._at
        array = self._text.startswith("[[", self._at)
        self._at += 2 if array else 1
        path = self._within((), self._key(), last=not array)
        if array:
            self._items[path] = self._items.get(path, -1) + 1
            path += (self._items[path],)
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)
        self._at += 2 if array else 1
        self.parts.append(Part(path, "header", begin, self._at))
        return path

    def _within(self, table: Path, keys: list[str], *, last: bool) -> Path:
        """The path of *keys*: of an array of tables the last item is meant."""
        path = table
        for number, key in enumerate(keys, 1):
            path += (key,)
            if path in self._items and (last or number < len(keys)):
                path += (self._items[path],)
        return path

    def _pair(self, table: Path) -> None:
        line, begin = self._now(), self._at
        path = table
        for key in self._key():
            path += (key,)
            self.lines.setdefault(path, line)
        self._at += 1
        self._skip(_SPACE)
        self._value(path)
        self.parts.append(Part(path, "pair", begin, self._at))

    def _key(self) -> list[str]:
        """Dotted, up to what ends it."""
        keys = []
        while True:
            self._skip(_SPACE)
            quoted = self._string()
            if quoted:
                # Its escapes are read by who knows them.
                keys.append(str(tomllib.loads(f"key = {quoted}")["key"]))
            else:
                start = self._at
                self._skip(_BARE)
                keys.append(self._text[start : self._at])
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _value(self, path: Path) -> None:
        if self._text.startswith("[", self._at):
            self._at += 1
            number = 0
            while not self._closes("]"):
                self.lines[(*path, number)] = self._now()
                begin = self._at
                self._value((*path, number))
                self.parts.append(Part((*path, number), "item", begin, self._at))
                number += 1
        elif self._text.startswith("{", self._at):
            self._at += 1
            while not self._closes("}"):
                self._pair(path)
        elif not self._string():
            self._skip(_SCALAR)

    def _closes(self, bracket: str) -> bool:
        """Go to the next item, or past the end."""
        self._skip(_BLANK)
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip(_BLANK)
        closed = self._text.startswith(bracket, self._at) or self._at >= len(self._text)
        self._at += closed
        return closed

    def _string(self) -> str:
        for pattern in _STRINGS:
            match = pattern.match(self._text, self._at)
            if match:
                self._at = match.end()
                return match[0]
        return ""

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
        return self._at

    def _now(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line
