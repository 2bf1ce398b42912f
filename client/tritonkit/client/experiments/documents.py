"""Frozen dataclasses as JSON documents and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tritonkit.client.statistics.interval import Interval
from tritonkit.errors import ConfigError

__all__ = ["plain", "typed"]

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Dicts, lists, numbers and text; None for what is not finite."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def typed(kind: type[T], document: Any) -> T:
    """
    What `plain` made a document of.

    Raises:
        ConfigError: If it cannot have been a *kind*.
    """
    try:
        made: T = _typed(kind, document)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ConfigError(f"that is no {kind.__name__}: {error!r}.") from error
    return made


def _typed(kind: Any, document: Any) -> Any:
    if kind is Interval:
        ends = document["low"], document["high"], document["estimate"]
        unknown = -math.inf, math.inf, math.nan
        return Interval(*(b if a is None else float(a) for a, b in zip(ends, unknown, strict=True)))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        named = {field.name: document[field.name] for field in fields(kind)}
        made: Any = kind
        return made(**{name: _typed(hints[name], entry) for name, entry in named.items()})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return tuple(_typed(arguments[0], entry) for entry in document)
    if origin in (UnionType, Union):
        (some,) = (argument for argument in arguments if argument is not NoneType)
        return None if document is None else _typed(some, document)
    if origin in (dict, Mapping):
        return {arguments[0](key): _typed(arguments[1], entry) for key, entry in document.items()}
    if origin is Literal:
        if document not in arguments:
            raise ValueError(f"{document!r} is none of {arguments}")
        return document
    if kind is float:
        return math.nan if document is None else float(document)
    if not isinstance(document, kind):
        raise TypeError(f"{document!r} is no {kind.__name__}")
    return document
