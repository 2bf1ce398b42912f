"""Events as plain values and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from tritonkit.client.experiments.control import Control
from tritonkit.client.experiments.events import Answer, Event, Exposure, Outcome
from tritonkit.errors import ConfigError, ServerUnavailable

__all__ = ["decode", "decode_control", "decode_page", "encode", "encode_control"]

_KINDS: dict[str, type[Event]] = {"exposure": Exposure, "answer": Answer, "outcome": Outcome}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(event: Event) -> str:
    """As JSON: what kind it is, then its fields in order."""
    fields = [getattr(event, name) for name in event.__dataclass_fields__]
    return json.dumps([_NAMES[type(event)], *fields], separators=(",", ":"))


def decode(text: str | bytes) -> Event:
    """The event that `encode` made a text of."""
    return _event(*json.loads(text))


def decode_page(text: bytes) -> list[Event]:
    """Those of several such texts with commas between them."""
    return [_event(*row) for row in json.loads(b"[%b]" % text)]


def _event(name: str, *fields: Any) -> Event:
    kind = _KINDS[name]
    # Rows from before a field was added do without it; it is the last one.
    return kind(**dict(zip(kind.__dataclass_fields__, fields, strict=False)))


def encode_control(control: Control) -> str:
    """As JSON."""
    return json.dumps(asdict(control), separators=(",", ":"))


def decode_control(text: str | bytes) -> Control:
    """
    What `encode_control` made a text of.

    Raises:
        ServerUnavailable: If it is none, such as what a later release says.
    """
    try:
        document: dict[str, Any] = json.loads(text)
        return Control(**document)
    except (ValueError, TypeError, ConfigError) as error:
        raise ServerUnavailable(f"what is said of the experiment is not known: {error}") from error
