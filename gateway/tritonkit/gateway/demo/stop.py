"""Signals that end the demo."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stop", "Stopped", "stop_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal came while nobody waited for it."""


class Stop:
    """Whether to stop, and who is told."""

    def __init__(self) -> None:
        self._wake: Callable[[], object] | None = None

    @contextmanager
    def waking(self, wake: Callable[[], object]) -> Iterator[None]:
        """Call *wake* on a signal in place of raising Stopped; afterwards signals do nothing."""
        self._wake = wake
        try:
            yield
        finally:
            self._wake = _nothing

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; more of them change nothing."""
        wake, self._wake = self._wake, _nothing
        if wake is None:
            raise Stopped
        wake()


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Ctrl-C, SIGTERM and a closed terminal stop once; while stopping they are not heard."""
    stop = Stop()
    before = {each: signal.signal(each, stop.hear) for each in _SIGNALS}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _nothing() -> None:
    """Stopping goes on already."""
