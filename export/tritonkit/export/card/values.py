"""Dataclasses as JSON, and back."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = ["from_values", "to_values"]


def to_values(value: Any) -> Any:
    """*value* as what JSON can hold; keys of mappings become strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_values(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_values(item) for item in value]
    return value


def from_values(kind: Any, values: Any) -> Any:
    """
    What `to_values` was given, where it was a *kind*.

    Args:
        kind: A dataclass, or an annotation of one of its fields: a mapping or tuple of
            such, a union with None, a plain type.
        values: What JSON held.

    Raises:
        TypeError: If *values* has other fields or is of another type.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, values)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind, values)
    if origin is tuple:
        return tuple(from_values(arguments[0], item) for item in _checked(values, list))
    if origin is Mapping:
        read = _checked(values, dict)
        return {arguments[0](key): from_values(arguments[1], v) for key, v in read.items()}
    if isinstance(kind, type):
        return _checked(values, (int, float) if kind is float else kind)
    return values


def _one_of(kinds: tuple[Any, ...], values: Any) -> Any:
    if values is None and types.NoneType in kinds:
        return None
    plain = tuple(kind for kind in kinds if kind is not types.NoneType)
    return from_values(plain[0], values) if len(plain) == 1 else _checked(values, plain)


def _dataclass(kind: type[Any], values: Any) -> Any:
    hints = get_type_hints(kind)
    read = _checked(values, dict)
    if set(read) != set(hints):
        raise TypeError(
            f"a {kind.__name__} holds {', '.join(hints)}, but found {', '.join(read) or 'nothing'}"
        )
    return kind(**{name: from_values(hints[name], value) for name, value in read.items()})


def _checked(value: Any, kind: type | tuple[type, ...]) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not of type {kind}")
    return value
