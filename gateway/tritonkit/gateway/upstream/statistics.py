"""Triton's counters of several servers as those of one, which they are to a client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["summed"]

_NAMED = ("name", "version", "batch_size", "type", "id")
"""What an entry of a list is of; the rest of it is counted."""


def summed(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    The entries of `model_stats` of all servers, one for each model and version.

    Args:
        entries: Each with the name of its server as "endpoint".
    """
    return _merged(
        [{key: each for key, each in entry.items() if key != "endpoint"} for entry in entries]
    )


def _merged(entries: Sequence[Any]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in entries:
        what = tuple(entry.get(name) for name in _NAMED)
        found[what] = _sum(found[what], entry) if what in found else entry
    return list(found.values())


def _sum(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    total = dict(one)
    for name, value in other.items():
        known = total.get(name)
        if known is None:
            total[name] = value
        elif isinstance(value, Mapping) and isinstance(known, Mapping):
            total[name] = _sum(known, value)
        elif isinstance(value, list) and isinstance(known, list):
            total[name] = _merged([*known, *value])
        elif name == "last_inference":
            total[name] = max(known, value)
        elif type(value) is int and type(known) is int and name not in _NAMED:
            total[name] = known + value
    return total
