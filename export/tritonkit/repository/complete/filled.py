"""A value that a server fills in."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

__all__ = ["Filled", "Place"]

Place: TypeAlias = "tuple[str | int, ...]"
"""Names of fields and positions in lists, from the top: ("instance_group", 0, "count")."""


class Filled(NamedTuple):
    """
    A value that a server fills in, or raises to its default.

    Args:
        place: Where it stands in the completed configuration; a message stands for all
            that is in it.
        by: "core", or the backend that fills it.
    """

    place: Place
    by: str
