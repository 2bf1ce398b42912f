"""What the page changed, for all workers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Setting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """
    A layer that is on or off, or a fault.

    Args:
        name: Of either.
        on: Whether it is.
        value: Of a fault that has one.
        until: When it ends by itself, in seconds since 1970; None never.
    """

    name: str
    on: bool
    value: float | None = None
    until: float | None = None
