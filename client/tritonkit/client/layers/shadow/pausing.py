"""Whether to ask a shadow that lately failed: a count and a time, no clock of its own."""

from __future__ import annotations

import math

__all__ = ["Pausing"]

_LONGEST = 32
"""Times the first pause, at most."""


class Pausing:
    """
    A run of failures ends in a pause, which doubles while the first call after it fails.

    Args:
        failures: So many in a row; 0 never pauses.
        pause: Seconds of the first pause.
        longest: Seconds that a call takes at most. One that ends in another process, or never
            because its event loop did, holds up others for no longer.
    """

    def __init__(self, failures: int, pause: float, longest: float) -> None:
        self.failures, self.pause, self.longest = failures, pause, longest
        self.run = 0
        """Failures since the last success."""
        self.pauses = 0
        """Since the last success."""
        self._until = 0.0
        self._probing_until = -math.inf

    def asks(self, now: float) -> bool:
        """Whether to ask; after a pause one at a time, until one succeeds."""
        if not self.pauses:
            return True
        if now < self._until or now < self._probing_until:
            return False
        self._probing_until = now + self.longest
        return True

    def succeeded(self) -> None:
        """The shadow answered."""
        self.run = self.pauses = 0
        self._probing_until = -math.inf

    def failed(self, now: float) -> bool:
        """The shadow did not; returns whether a pause begins."""
        self._probing_until = -math.inf
        self.run += 1
        if not self.failures or self.run < self.failures or now < self._until:
            return False
        self._until = now + self.pause * min(2.0**self.pauses, _LONGEST)
        self.pauses = min(self.pauses + 1, _LONGEST)
        return True

    def forgot(self) -> None:
        """The call ended without saying anything about the shadow."""
        self._probing_until = -math.inf
