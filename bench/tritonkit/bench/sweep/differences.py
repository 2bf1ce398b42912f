"""Where a configuration is not the one that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["differences"]


def differences(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> list[str]:
    """
    What is wrong with *got*, a line each; nothing where a server only completed it.

    A server completes fields that were left out or left empty. That a model batches
    dynamically is none of them.
    """
    found = list(_fields(wanted, got, ""))
    if "dynamic_batching" in got and "dynamic_batching" not in wanted:
        found.append("dynamic_batching is there, and should not be")
    return found


def _fields(wanted: Mapping[str, Any], got: Mapping[str, Any], at: str) -> list[str]:
    found: list[str] = []
    for name, value in wanted.items():
        found += _values(value, got.get(name), f"{at}{name}")
    return found


def _values(value: Any, other: Any, path: str) -> list[str]:
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return _fields(value, other, f"{path}.")
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        found: list[str] = []
        for index, (one, two) in enumerate(zip(value, other, strict=True)):
            found += _values(one, two, f"{path}.{index}")
        return found
    # Protobuf's JSON leaves defaults out, and has 64-bit integers as texts.
    if value in ([], {}, "") or str(value) == str(other) or (other is None and not value):
        return []
    return [f"{path} is {other!r}, not {value!r}"]
