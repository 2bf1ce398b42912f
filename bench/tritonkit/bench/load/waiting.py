"""Waiting for whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

__all__ = ["first"]


async def first(seconds: float | None, *ends: Awaitable[object]) -> None:
    """Until one of *ends* has come or *seconds* have passed; the others are cancelled."""
    waits = [asyncio.ensure_future(end) for end in ends]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
