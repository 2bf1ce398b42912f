"""What keys mean while the demo runs."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TextIO

from tritonkit.gateway.demo.traffic import Flow

__all__ = ["HELP", "listening", "steered"]

HELP = "+ - rate   < > skew   b burst   d drift   f fault   q quit"

_RATES = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 80.0, 120.0, 200.0, 300.0, 500.0)
_SKEWS = (0.0, 0.5, 0.8, 1.0, 1.2, 1.5, 2.0)


def steered(flow: Flow, key: str) -> Flow:
    """What *flow* becomes by a key; the same where the key is none of its own."""
    if key in "+=":
        return replace(flow, rate=_beside(_RATES, flow.rate, up=True))
    if key in "-_":
        return replace(flow, rate=_beside(_RATES, flow.rate, up=False))
    if key in ">.":
        return replace(flow, skew=_beside(_SKEWS, flow.skew, up=True))
    if key in "<,":
        return replace(flow, skew=_beside(_SKEWS, flow.skew, up=False))
    if key == "d":
        return replace(flow, shifted=not flow.shifted)
    return flow


def _beside(steps: tuple[float, ...], value: float, *, up: bool) -> float:
    """The next step above or below; *value* itself beyond the last."""
    if up:
        return next((step for step in steps if step > value), value)
    return next((step for step in reversed(steps) if step < value), value)


@contextmanager
def listening(press: Callable[[str], None], stream: TextIO | None = None) -> Iterator[bool]:
    """
    Call *press* with each key, in the running loop; the terminal is as before at the end.

    Args:
        press: Called with a character.
        stream: A terminal; otherwise there are no keys. Standard input by default.
    """
    stream = sys.stdin if stream is None else stream
    if not _usable(stream):
        yield False
        return
    descriptor = stream.fileno()
    before: list[Any] = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()

    def read() -> None:
        keys = os.read(descriptor, 64)
        if not keys:
            # The terminal is gone.
            loop.remove_reader(descriptor)
        for key in keys.decode(errors="replace"):
            press(key)

    # Ctrl-C stays a signal.
    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield True
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _usable(stream: TextIO) -> bool:
    """Whether it is a terminal, and this process the one that reads it."""
    if stream.closed or not stream.isatty():
        return False
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except OSError:
        return False
