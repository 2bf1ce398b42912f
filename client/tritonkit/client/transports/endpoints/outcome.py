"""What the end of a call says of the endpoint that was asked."""

from __future__ import annotations

from enum import Enum

from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    ModelUnavailable,
    ProtocolError,
    RequestError,
    ServerUnavailable,
)

__all__ = ["Outcome"]


class Outcome(Enum):
    """How a call ended, as far as its endpoint is concerned."""

    ANSWERED = "answered"
    """With an answer."""
    NEUTRAL = "neutral"
    """In a way that says nothing: the caller left or gave no time, or the request is wrong."""
    UNREACHABLE = "unreachable"
    """Without an answer by the fault of the endpoint, whichever the model."""
    FAILED = "failed"
    """By the fault of the model on this endpoint."""
    ABSENT = "absent"
    """The endpoint does not have the model."""

    @classmethod
    def of(cls, error: BaseException | None, seconds: float, patience: float) -> Outcome:
        """
        Read the end of a call.

        Args:
            error: What it raised; None where it was answered.
            seconds: How long it took.
            patience: Seconds that an endpoint must be given before a deadline that
                passed says something of it.
        """
        if error is None:
            return cls.ANSWERED
        if not isinstance(error, RequestError):
            return cls.NEUTRAL
        if isinstance(error, ModelUnavailable):
            return cls.ABSENT
        if isinstance(error, ServerUnavailable):
            return cls.UNREACHABLE
        if isinstance(error, DeadlineExceeded):
            return cls.FAILED if seconds >= patience else cls.NEUTRAL
        if isinstance(error, (InferenceFailed, ProtocolError)):
            return cls.FAILED
        # InvalidInput may never have been sent; of an overload, the choice sees enough.
        return cls.NEUTRAL
