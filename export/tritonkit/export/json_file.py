"""JSON files of a source, and their values, of the types that export expects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tritonkit.errors import ConfigError

__all__ = ["read_json", "value_of"]

_T = TypeVar("_T")

_NAMES = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a string",
}


def read_json(file: Path, kind: type[_T], *, missing: _T | None = None) -> _T:
    """
    Read a JSON file.

    Args:
        file: The file.
        kind: dict or list: what it must hold.
        missing: What to answer where there is no file; None to refuse that.

    Raises:
        ConfigError: If it cannot be read, is not JSON, or holds something else.
    """
    if missing is not None and not file.is_file():
        return missing
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not JSON: {error}.") from error
    if not isinstance(content, kind):
        raise ConfigError(
            f"{file} must hold {_NAMES[kind]}, but holds {_name(content)}: {_short(content)}."
        )
    return content


def value_of(content: Mapping[str, Any], key: str, *kinds: type, file: Path) -> Any:
    """
    What *content* holds under *key*; None where it is absent or null.

    Args:
        content: An object of JSON.
        key: The key.
        kinds: Types that are allowed. A bool is no int here, and an int is a float.
        file: Where the object comes from; stands in the error.

    Raises:
        ConfigError: If the value is of another type.
    """
    value = content.get(key)
    if value is None or type(value) in kinds or (type(value) is int and float in kinds):
        return value
    wanted = " or ".join(_NAMES[kind] for kind in kinds)
    raise ConfigError(f"{file}: {key} must be {wanted}, but got {_short(value)}.")


def _name(value: object) -> str:
    return _NAMES.get(type(value), "null")


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
