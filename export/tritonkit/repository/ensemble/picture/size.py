"""How large the boxes of a picture are."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from tritonkit.repository.ensemble.picture.diagram import Box, Port

__all__ = [
    "COLUMN_GAP",
    "HEADER",
    "PADDING",
    "PORT",
    "ROW_GAP",
    "TURN",
    "Size",
    "box_size",
    "port_offset",
    "shortened",
    "text_width",
]

COLUMN_GAP = 72.0
ROW_GAP = 22.0
TURN = 30.0
"""How far a wire that goes back bends before it turns."""
PADDING = 12.0
HEADER = 46.0
"""Height of a box's name and what else is known of it."""
PORT = 34.0
"""Height of a port: its name, and its data type and dims below."""
_PILL = 46.0
_CHARACTER = 7.3
"""Width of a character at 12 pixels, in the widest of the fonts that browsers have."""
_LONGEST = 36
_BETWEEN = 28.0


@dataclass(frozen=True, slots=True)
class Size:
    """In pixels."""

    width: float
    height: float


def port_offset(box: Box, side: str, port: int) -> float:
    """How far below its box's upper edge the middle of a port is."""
    if box.kind in ("input", "output", "nothing"):
        return _PILL / 2
    return HEADER + port * PORT + PORT / 2


def shortened(text: str) -> str:
    """A name that is as long as a picture shows it, without what cannot be shown."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def text_width(text: str) -> float:
    """At most how wide a shortened text is at 12 pixels."""
    return sum(
        2 * _CHARACTER if unicodedata.east_asian_width(c) in "WF" else _CHARACTER
        for c in shortened(text)
    )


def box_size(box: Box, inside: Size | None) -> Size:
    """The size of a box; one that is open has what is in it below its ports."""
    title = max(text_width(box.title) * 1.1, text_width(box.detail))
    marks = 22.0 * len(box.faults)
    if box.kind in ("input", "output", "nothing"):
        shape = max((_port_width(port) for port in (*box.inputs, *box.outputs)), default=0.0)
        return Size(max(title + marks, shape) + 3 * PADDING, _PILL)
    left = max((_port_width(port) for port in box.inputs), default=0.0)
    right = max((_port_width(port) for port in box.outputs), default=0.0)
    between = _BETWEEN if left and right else 0.0
    width = max(title + marks, left + between + right) + 2 * PADDING
    rows = max(len(box.inputs), len(box.outputs), 1)
    height = HEADER + rows * PORT + PADDING / 2
    if inside is not None:
        width = max(width, inside.width + 2 * PADDING)
        height += inside.height + 2 * PADDING
    return Size(width, height)


def _port_width(port: Port) -> float:
    return max(text_width(port.label), text_width(port.shape)) + 22.0 * len(port.faults)
