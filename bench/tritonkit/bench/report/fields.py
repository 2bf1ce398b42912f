"""Fields of a document, each with its place in it, so that an error can name it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from tritonkit.errors import ConfigError

__all__ = ["Fields"]

T = TypeVar("T")

_LARGEST = 2.0**63
"""Larger numbers come from nobody who measures."""


class Fields:
    """
    An object of a document.

    Every method raises ConfigError with the field's place where the field is missing or
    is something else; fields that nobody asks for are left alone.

    Args:
        content: What JSON gave.
        place: Where it stands, such as "measurements[2].latency".
    """

    def __init__(self, content: Any, place: str) -> None:
        if not isinstance(content, dict):
            raise ConfigError(f"{place} must be an object, but got {_shown(content)}.")
        self._content: Mapping[str, Any] = content
        self._place = place

    def __contains__(self, name: str) -> bool:
        return self._content.get(name) is not None

    def text(self, name: str) -> str:
        """A string."""
        value: str = self._get(name, "a string", lambda value: isinstance(value, str))
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value: bool = self._get(name, "true or false", lambda value: isinstance(value, bool))
        return value

    def whole(self, name: str) -> int:
        """A whole number, not negative."""
        value: int = self._get(name, "a whole number, not negative", _is_whole)
        return value

    def integer(self, name: str) -> int:
        """A whole number of either sign."""
        value: int = self._get(name, "a whole number", _is_integer)
        return value

    def number(self, name: str) -> float:
        """A number; NaN where the document has null."""
        value = self._get(
            name, "a number or null", lambda value: value is None or _is_number(value)
        )
        return math.nan if value is None else float(value)

    def known(self, name: str) -> float:
        """A number, never null."""
        return float(self._get(name, "a number", _is_number))

    def positive(self, name: str) -> float:
        """A number above 0."""
        value = self._get(name, "a number above 0", lambda value: _is_number(value) and value > 0)
        return float(value)

    def object(self, name: str) -> Fields:
        """An object."""
        return Fields(self._get(name, "an object"), self._at(name))

    def objects(self, name: str) -> Iterator[Fields]:
        """A list of objects."""
        for number, one in enumerate(self._list(name)):
            yield Fields(one, f"{self._at(name)}[{number}]")

    def anything(self, name: str) -> dict[str, Any]:
        """An object whose content is not looked at."""
        return dict(self._get(name, "an object", lambda value: isinstance(value, dict)))

    def each(self, name: str, read: Callable[[Fields, str], T]) -> dict[str, T]:
        """An object whose keys are names, each value read by *read*."""
        inner = self.object(name)
        return {key: read(inner, key) for key in inner._content}

    def numbers(self, name: str, count: int) -> tuple[float, ...]:
        """A list of so many numbers."""
        values = self._list(name)
        if len(values) != count or not all(map(_is_number, values)):
            raise ConfigError(
                f"{self._at(name)} must be {count} numbers, but got {_shown(values)}."
            )
        return tuple(map(float, values))

    def _list(self, name: str) -> list[Any]:
        value: list[Any] = self._get(name, "a list", lambda value: isinstance(value, list))
        return value

    def _get(self, name: str, kind: str, right: Callable[[Any], bool] = lambda _: True) -> Any:
        if name not in self._content:
            raise ConfigError(f"{self._at(name)} is missing.")
        value = self._content[name]
        if not right(value):
            raise ConfigError(f"{self._at(name)} must be {kind}, but got {_shown(value)}.")
        return value

    def _at(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name


def _is_number(value: Any) -> bool:
    return (isinstance(value, float) and abs(value) < _LARGEST) or _is_integer(value)


def _is_whole(value: Any) -> bool:
    return _is_integer(value) and value >= 0


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
