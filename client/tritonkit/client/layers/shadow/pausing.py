"""Whether to ask a shadow that lately failed: a count and a time, no clock of its own."""

from __future__ import annotations

__all__ = ["Pausing"]

_LONGEST = 32
"""Times the first pause, at most."""


class Pausing:
    """
    A run of failures ends in a pause, which doubles while the first call after it fails.

    Args:
        failures: So many in a row; 0 never pauses.
        pause: Seconds of the first pause.
    """

    def __init__(self, failures: int, pause: float) -> None:
        self.failures, self.pause = failures, pause
        self.run = 0
        """Failures since the last success."""
        self.pauses = 0
        """Since the last success."""
        self._until = 0.0
        self._probing = False

    def asks(self, now: float) -> bool:
        """Whether to ask; after a pause one at a time, until one succeeds."""
        if not self.pauses:
            return True
        if now < self._until or self._probing:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The shadow answered."""
        self.run = self.pauses = 0
        self._probing = False

    def failed(self, now: float) -> bool:
        """The shadow did not; returns whether a pause begins."""
        self._probing = False
        self.run += 1
        if not self.failures or self.run < self.failures or now < self._until:
            return False
        self._until = now + self.pause * min(2.0**self.pauses, _LONGEST)
        self.pauses = min(self.pauses + 1, _LONGEST)
        return True

    def forgot(self) -> None:
        """The call ended without saying anything about the shadow."""
        self._probing = False
