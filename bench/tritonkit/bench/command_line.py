"""The command line as it was typed, without what must not stand in a report."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["as_typed"]

_HIDDEN = "..."

_SECRET_NAME = re.compile(
    r"(pass(word|wd|phrase)?|secret|token|credential|auth(orization)?|api-?key|cookie)",
    re.IGNORECASE,
)
"""What options and headers are called whose values nobody else may read."""

_HEADER_OPTIONS = frozenset({"--header", "-H"})


def as_typed(words: Sequence[str]) -> str:
    """
    Words of a command line, quoted so that a shell takes them again.

    The value of a header, of an option that is named like a secret, and the user's part of
    a URL are "...": the command is in the report so that others can repeat it.

    Args:
        words: As in `sys.argv`; of the program's path the name is kept.
    """
    first = [Path(words[0]).name] if words else []
    return shlex.join([*first, *_without_secrets(words[1:])])


def _without_secrets(words: Sequence[str]) -> Iterator[str]:
    option = ""
    for word in words:
        if option:
            yield _value(option, word)
            option = ""
        elif word.startswith("-") and "=" in word:
            name, _, value = word.partition("=")
            yield f"{name}={_value(name, value)}"
        else:
            yield _url(word)
            option = word if word.startswith("-") and _guarded(word) else ""


def _guarded(option: str) -> bool:
    return option in _HEADER_OPTIONS or _SECRET_NAME.search(option) is not None


def _value(option: str, value: str) -> str:
    if option in _HEADER_OPTIONS:
        name, separator, _ = value.partition(":" if ":" in value else "=")
        return f"{name}{separator}{_HIDDEN}" if separator else _HIDDEN
    return _HIDDEN if _guarded(option) else _url(value)


def _url(word: str) -> str:
    """A URL without the name and the password in it, if it is one that has them."""
    if "://" not in word or "@" not in word:
        return word
    try:
        place = urlsplit(word).netloc
    except ValueError:
        return _HIDDEN
    if "@" not in place:
        return word
    return word.replace(place, f"{_HIDDEN}@{place.rpartition('@')[2]}", 1)
