"""Signals that end a command early, as Ctrl-C does: what it changed is put back before."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ended_by_signals"]

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""Of a scheduler or a supervisor, and of a terminal that was closed."""


@contextmanager
def ended_by_signals(interrupt: asyncio.Event) -> Iterator[None]:
    """
    Have them set an event, inside a running loop, as often as they come.

    One that is ignored, as by nohup, stays so.
    """
    loop = asyncio.get_running_loop()
    caught = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    for each in caught:
        loop.add_signal_handler(each, interrupt.set)
    try:
        yield
    finally:
        for each in caught:
            loop.remove_signal_handler(each)
