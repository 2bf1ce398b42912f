"""Whether a client takes what it is sent."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios

__all__ = ["Outflow", "unsent"]


class Outflow:
    """
    Looks at what a client has yet to take, now and then.

    Args:
        timeout: Seconds in which it must take something.
        rate: Bytes a second that it must take over that time; 0 where one byte will do.
    """

    __slots__ = ("_left", "_rate", "_timeout", "since")

    def __init__(self, timeout: float, rate: int) -> None:
        self._timeout, self._rate = timeout, rate
        self.since = 0.0
        """Since when it has the time that runs."""
        self._left = 0

    @property
    def due(self) -> float:
        """When it must have taken enough."""
        return self.since + self._timeout

    def begin(self, now: float, left: int) -> None:
        """It has *left* bytes to take."""
        self.since, self._left = now, left

    def is_slow(self, now: float, left: int) -> bool:
        """Whether its time is over and it has not taken enough; where it has, time runs anew."""
        if now < self.due or not left:
            return False
        if self._left - left < max(1, self._rate * self._timeout):
            return True
        self.begin(now, left)
        return False


def unsent(transport: asyncio.Transport) -> int:
    """Bytes that the other side has not taken: the transport's, and the kernel's where it tells."""
    size = transport.get_write_buffer_size()
    try:
        descriptor = transport.get_extra_info("socket").fileno()
        (queued,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)))
    except (OSError, ValueError):
        # The second is for a socket that is closed already.
        return size
    return size + int(queued)
