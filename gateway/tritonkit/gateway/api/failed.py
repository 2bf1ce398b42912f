"""Errors as HTTP answers."""

from __future__ import annotations

from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    JobLost,
    LimitExceeded,
    ModelUnavailable,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)

__all__ = ["retry_after", "status_of"]

_STATUS: tuple[tuple[type[RequestError], int], ...] = (
    (InvalidInput, 400),
    (ModelUnavailable, 404),
    (JobLost, 404),
    (BudgetExceeded, 429),
    (DeadlineExceeded, 504),
    (CircuitOpen, 503),
    (LimitExceeded, 503),
    (ServerOverloaded, 503),
    (ServerUnavailable, 503),
    (InferenceFailed, 500),
)


def status_of(error: RequestError) -> int:
    """The status of an answer to a request that got none; 502 where the server is to blame."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 502)


def retry_after(error: RequestError) -> float | None:
    """Seconds until the same request may have an answer; None where nobody knows."""
    seconds = getattr(error, "retry_after", None)
    if seconds is not None:
        return float(seconds)
    return 1.0 if isinstance(error, LimitExceeded | ServerOverloaded) else None
