"""Markup in which nothing that a user wrote can be anything but text."""

from __future__ import annotations

import html
import re

__all__ = ["Html", "element", "joined"]

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
"""What HTML does not allow, or shows as nothing."""

_VOID = frozenset({"br", "meta"})
_SHAPES = frozenset({"circle", "line", "path", "polygon", "polyline", "rect"})


class Html(str):
    """Markup: whatever else is put into an element is escaped."""

    __slots__ = ()


def element(name: str, /, *children: str | None, **attributes: str | float | None) -> Html:
    """
    An element of HTML or SVG.

    Args:
        name: Such as "p".
        children: Markup as it is, text escaped; None is left out.
        attributes: `class_` is class, `stroke_width` is stroke-width; None is left out.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            text = f"{value:g}" if isinstance(value, float) else str(value)
            parts.append(f'{key.rstrip("_").replace("_", "-")}="{_escaped(text)}"')
    start = " ".join(parts)
    if name in _VOID:
        return Html(f"<{start}>")
    if name in _SHAPES and not children:
        return Html(f"<{start}/>")
    return Html(f"<{start}>{joined(*children)}</{name}>")


def joined(*children: str | None) -> Html:
    """One after the other."""
    return Html(
        "".join(
            child if isinstance(child, Html) else _escaped(child)
            for child in children
            if child is not None
        )
    )


def _escaped(text: str) -> str:
    # Half a character cannot be written, and a control character is shown by nobody.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return html.escape(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", whole), quote=True)
