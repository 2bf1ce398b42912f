"""Why a request goes on as it came."""

from __future__ import annotations

__all__ = ["Unreadable"]


class Unreadable(Exception):
    """
    A request that is not understood with certainty as Triton understands it.

    Args:
        reason: Why.
        wrong: Whether Triton refuses it, before it computes anything. No guess: who
            accounts for inferences lets such a request pass.
        sequence: Id of the sequence that it is a step of; empty for none.
    """

    def __init__(self, reason: str, *, wrong: bool = False, sequence: str = "") -> None:
        super().__init__(reason)
        self.wrong = wrong
        self.sequence = sequence
