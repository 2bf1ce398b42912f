"""A JSON object of a caller, read field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from tritonkit.gateway.tenants.refused import Refused

__all__ = ["Fields", "parse", "wrong"]

_SHOWN = 80
"""Characters of a value in a message."""


_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def wrong(message: str, *, status: int = 400) -> Refused:
    """What a caller is told whose request makes no sense."""
    return Refused(message, status=status, reason="input")


def parse(body: bytes) -> Any:
    """
    A body as JSON, as RFC 8259 has it: no NaN, no Infinity.

    Raises:
        Refused: 400 if it is none, lies too deep, or has what is no Unicode.
    """
    try:
        found = json.loads(body.decode(), parse_constant=_no_number)
        if _HALF.search(body):
            # Two halves are a character; one by itself has no bytes to be sent as.
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise wrong(f"the body has half a character by itself, {half!r}") from None
    except RecursionError:
        raise wrong("the body has objects or arrays that lie in each other too deep") from None
    except UnicodeDecodeError as error:
        raise wrong(f"the body must be UTF-8, but has byte {error.object[error.start]:#04x} at "
                    f"{error.start}") from None  # fmt: skip
    except ValueError as error:
        # Python has advice for programs on numbers of too many digits.
        why = str(error).partition(";")[0]
        raise wrong(f"the body must be JSON: {why}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


class Fields:
    """
    Args:
        document: What was sent.
        known: Names that it may have.
        where: What it is, for messages.

    Raises:
        Refused: 400 if it is no object, or has another name.
    """

    def __init__(self, document: Any, known: Sequence[str], where: str = "the body") -> None:
        if not isinstance(document, dict):
            raise wrong(f"{where} must be an object such as {_example(known)}, "
                        f"but got {shown(document)}")  # fmt: skip
        for name in document:
            if name not in known:
                close = get_close_matches(name.lower(), known, n=1)
                meant = f"; did you mean {close[0]!r}?" if close else ""
                raise wrong(f"{where} has no field {name[:_SHOWN]!r}, but {_listed(known)}{meant}")
        self._document = document
        self._where = where

    def __contains__(self, name: str) -> bool:
        return name in self._document

    def any(self, name: str) -> Any:
        """The value as it is; refused where it is missing."""
        if name not in self._document:
            raise wrong(f"{self._where} needs {name!r}")
        return self._document[name]

    def text(self, name: str, default: str | None = None, *, most: int = 1_000) -> str:
        """A text; refused where it is missing without a default."""
        if name not in self._document and default is not None:
            return default
        return text(self.any(name), name, most)

    def texts(self, name: str, *, most: int, longest: int) -> list[str]:
        """A list of texts, with one at least."""
        value = self.any(name)
        if not isinstance(value, list):
            raise wrong(f"{name!r} must be a list of texts, but got {shown(value)}")
        if not value:
            raise wrong(f"{name!r} must have one text at least, but got []")
        if len(value) > most:
            raise wrong(f"{name!r} must have {most} texts at most, but got {len(value)}",
                        status=413)  # fmt: skip
        return [text(each, f"{name}[{number}]", longest) for number, each in enumerate(value)]

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number in a range."""
        value = self._document.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise wrong(f"{name!r} must be {least} to {most}, but got {shown(value)}")
        return value

    def choice(self, name: str, among: Sequence[str]) -> str:
        """One of some texts, the first of them by default."""
        value = self._document.get(name, among[0])
        if value not in among:
            raise wrong(f"{name!r} must be one of {_listed(among)}, but got {shown(value)}")
        return str(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._document.get(name, default)
        if not isinstance(value, bool):
            raise wrong(f"{name!r} must be true or false, but got {shown(value)}")
        return value


def text(value: Any, name: str, most: int) -> str:
    """
    *value*, where it is a text.

    Raises:
        Refused: 400 where it is none; 413 where it is too long.
    """
    if not isinstance(value, str):
        raise wrong(f"{name!r} must be a text, but got {shown(value)}")
    if len(value) > most:
        raise wrong(f"{name!r} must have {most} characters at most, but got {len(value)}",
                    status=413)  # fmt: skip
    return value


def shown(value: Any) -> str:
    """A value of a caller in a message: not all of it, where it is long."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        found = repr(value)
    except ValueError:
        return "a number of too many digits"
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}..."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _example(known: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{name}": ...' for name in known[:3]) + "}"
