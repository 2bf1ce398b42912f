"""What a constructor can be told in a file: read from its signature."""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any, NamedTuple

from tritonkit.client.policy.findings import one_of
from tritonkit.client.policy.kind import Kind
from tritonkit.client.policy.kinds import FAMILIES

__all__ = [
    "MISSING",
    "Option",
    "Schema",
    "described",
    "lists",
    "members",
    "schema",
    "schema_of",
]

MISSING: Any = inspect.Parameter.empty
"""The default of an option that must be given."""

_LISTS = (Sequence, Collection, Iterable, AbstractSet, list, tuple, set, frozenset)
_MANY: Any = Sequence
_PLAIN = (str, int, float, bool, bytes)


class Option(NamedTuple):
    """
    Args:
        name: As in Python and in the file.
        hint: Its type; of `*stores` that of all of them.
        default: MISSING where it must be given.
        spread: Whether it is given as `*stores` in Python.
        positional: Whether Python takes it by its place, and what goes before a spread must be.
        readable: Whether a file can hold its value at all.
    """

    name: str
    hint: Any
    default: Any
    spread: bool
    positional: bool
    readable: bool


class Schema(NamedTuple):
    """A class, and what its constructor takes."""

    made: type
    options: Mapping[str, Option]

    def names(self) -> list[str]:
        """Options that a file can give."""
        return [option.name for option in self.options.values() if option.readable]


def schema(kind: Kind) -> Schema:
    """
    What can be said about a row of the table.

    Raises:
        MissingExtra: If importing it takes an extra.
    """
    module, _, name = kind.target.partition(":")
    return schema_of(getattr(importlib.import_module(module), name))


def schema_of(made: type) -> Schema:
    """What the constructor of a class can be told."""
    # mypy sees an instance's __init__ here, which a subclass might have changed.
    hints = typing.get_type_hints(made.__init__)  # type: ignore[misc]
    options = {}
    for parameter in inspect.signature(made).parameters.values():
        hint = hints.get(parameter.name, Any)
        spread = parameter.kind is parameter.VAR_POSITIONAL
        options[parameter.name] = Option(
            parameter.name,
            _MANY[hint] if spread else hint,
            () if spread else parameter.default,
            spread,
            parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD),
            _readable(hint),
        )
    return Schema(made, options)


def members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(inner for part in typing.get_args(hint) for inner in members(part))
    return (hint,)


def lists(hint: Any) -> Any:
    """What a list holds, for a type that a list can be; None for others."""
    origin = typing.get_origin(hint) or hint
    if origin not in _LISTS:
        return None
    arguments = [part for part in typing.get_args(hint) if part is not Ellipsis]
    return arguments[0] if arguments else str


def described(hint: Any) -> str:
    """What a value must be, for an error."""
    parts = members(hint)
    texts = []
    if timedelta in parts:
        texts.append("a duration such as '10s'")
    elif str in parts:
        texts.append("text")
    if bytes in parts:
        texts.append("text")
    if timedelta not in parts:
        if float in parts:
            texts.append("a number")
        elif int in parts:
            texts.append("a whole number")
    if bool in parts:
        texts.append("true or false")
    for part in parts:
        if typing.get_origin(part) is typing.Literal:
            texts.append(f"one of {one_of([str(value) for value in typing.get_args(part)])}")
        elif (family := FAMILIES.get(part)) is not None:
            named = f" with a type out of {one_of(list(family))}" if len(family) > 1 else ""
            texts.append(f"a table{named}")
        elif lists(part) is not None:
            texts.append(f"a list of {_many(described(lists(part)))}")
        elif (typing.get_origin(part) or part) is Mapping:
            texts.append("a table")
    if types.NoneType in parts:
        texts.append("'none'")
    return " or ".join(dict.fromkeys(texts))


def _many(text: str) -> str:
    return f"{text.removeprefix('a ').replace('table', 'tables', 1)}" if "table" in text else text


def _readable(hint: Any) -> bool:
    for part in members(hint):
        origin = typing.get_origin(part) or part
        if part is Any or part in _PLAIN or part in FAMILIES or origin is typing.Literal:
            return True
        if origin in (Mapping, dict):
            return _readable((typing.get_args(part) or (str, str))[1])
        if lists(part) is not None:
            return _readable(lists(part))
    return False
