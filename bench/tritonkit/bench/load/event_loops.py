"""The event loop that a load is sent from."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable

__all__ = ["event_loops"]


def event_loops() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes one: uvloop's where it is installed; None for asyncio's own."""
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module(
            "uvloop"
        ).new_event_loop
    except ModuleNotFoundError:
        return None
    return factory
