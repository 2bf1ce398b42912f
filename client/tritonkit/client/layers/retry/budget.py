"""How many calls may be retries: arithmetic without a clock of its own."""

from __future__ import annotations

from tritonkit.client.layers.recent import Recent
from tritonkit.client.layers.tokens import TOKEN, part_of_token

__all__ = ["WINDOW", "RetryBudget"]

WINDOW = 10.0
"""Seconds after which what was not withdrawn is lost, so that no calm day pays for a storm."""

_DEPOSITS, _WITHDRAWN = range(2)


class RetryBudget:
    """
    A token bucket that each request fills by a share of what a retry takes out.

    In any span of *seconds* there are at most ``share * requests +
    per_second * (seconds + WINDOW)`` retries.

    It belongs to one thread at a time.

    Args:
        share: Of the requests, 0 to 1.
        per_second: Retries that are there without any request, so that a client with few
            requests has some.

    Source: Finagle's RetryBudget, and tower's TpsBudget.
    """

    def __init__(self, share: float, per_second: float) -> None:
        self._deposit = part_of_token(share)
        self._reserve = part_of_token(per_second * WINDOW)
        # A ring reaches back nine tenths of its window at least.
        self._recent = Recent(WINDOW * 10 / 9, 2)

    def deposit(self, now: float) -> None:
        """There is one more request."""
        self._recent.add(now, _DEPOSITS, self._deposit)

    def withdraw(self, now: float) -> bool:
        """Whether a request may be sent once more, which is then counted."""
        deposits, withdrawn = self._recent.sums(now)
        if self._reserve + deposits - withdrawn < TOKEN:
            return False
        self._recent.add(now, _WITHDRAWN, TOKEN)
        return True
