"""Fields of a model configuration by their path, for those that have no setting of their own."""

from __future__ import annotations

import json
from typing import Any

from tritonkit.errors import ConfigError

__all__ = ["SET", "field_path", "set_field"]

SET = "set:"
"""Before the path: "set:parameters.X", "set:instance_group.0.count"."""

_FIXED = ("name", "backend", "platform", "input", "output", "ensemble_scheduling")


def field_path(name: str) -> list[str]:
    """
    The parts of a path.

    Raises:
        ConfigError: If it is none, or of a field that makes the model what it is.
    """
    parts = name.removeprefix(SET).split(".")
    if not all(parts):
        raise ConfigError(
            f"{name!r} names no field; write {SET}PATH with dots between its parts, "
            f"such as {SET}optimization.graph.level."
        )
    if parts[0] in _FIXED:
        raise ConfigError(f"{parts[0]} is what the model is; a sweep does not change it.")
    if parts[0] != "parameters":
        return parts
    if len(parts) == 1:
        raise ConfigError(f"{name!r} names no parameter; write {SET}parameters.NAME.")
    # A parameter's own name may have dots: session.intra_op.allow_spinning.
    return ["parameters", ".".join(parts[1:])]


def set_field(config: dict[str, Any], name: str, text: str) -> None:
    """
    Change a field in place; *text* is JSON, or a text where it is not.

    Raises:
        ConfigError: If the path leads nowhere.
    """
    parts = field_path(name)
    if parts[0] == "parameters":
        config.setdefault("parameters", {})[parts[1]] = {"string_value": text}
        return
    field: Any = config
    for part in parts[:-1]:
        field = _step(field, part, name)
    last = parts[-1]
    if isinstance(field, list):
        _step(field, last, name)
        field[int(last)] = _value(text)
    else:
        field[last] = text if isinstance(field.get(last), str) else _value(text)


def _step(field: Any, part: str, name: str) -> Any:
    if isinstance(field, list):
        if not part.isdigit() or int(part) >= len(field):
            raise ConfigError(f"{name}: {part!r} is no index of a list of {len(field)}.")
        return field[int(part)]
    inner = field.setdefault(part, {})
    if not isinstance(inner, (dict, list)):
        raise ConfigError(f"{name}: {part!r} is {inner!r}, which has no fields.")
    return inner


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
