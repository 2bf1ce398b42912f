"""The signals that end a gateway."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from types import FrameType

__all__ = ["Ending", "end_early"]


def end_early() -> None:
    """Let such a signal end the process with status 1, and tidily."""
    for number in _numbers():
        # Ctrl-C does so by itself.
        if number != signal.SIGINT:
            signal.signal(number, _exit)


class Ending:
    """Whoever makes it is told of such signals, of those too that come before it can be."""

    def __init__(self) -> None:
        self._early = 0
        for number in _numbers():
            signal.signal(number, self._note)

    def tell(self, loop: asyncio.AbstractEventLoop, told: Callable[[], None]) -> None:
        """Have *told* called for each of them."""
        for number in _numbers():
            loop.add_signal_handler(number, told)
        for _ in range(self._early):
            told()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._early += 1


def _numbers() -> list[signal.Signals]:
    numbers = [signal.SIGTERM, signal.SIGINT]
    # Of a terminal that closes; nohup has it ignored.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(1)
