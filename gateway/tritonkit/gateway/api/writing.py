"""JSON of answers, so that a long one holds nobody up."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["LONG", "to_json"]

LONG = 4096
"""Numbers or texts that take some milliseconds to write; more are written in a thread."""


def to_json(value: Any) -> bytes:
    """
    As `json.dumps` has it, in one line.

    A long list is written in pieces: json does not let another thread in before its end.

    Raises:
        ValueError: If a number is not finite.
    """
    if isinstance(value, dict):
        pairs = (_short(name) + b":" + to_json(each) for name, each in value.items())
        return b"{%s}" % b",".join(pairs)
    if isinstance(value, list) and value:
        if isinstance(value[0], list | dict):
            return b"[%s]" % b",".join(map(to_json, value))
        if len(value) > LONG:
            pieces = (_short(value[at : at + LONG])[1:-1] for at in range(0, len(value), LONG))
            return b"[%s]" % b",".join(pieces)
    return _short(value)


def _short(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
