"""Refusals, as bytes: the server's own where it said something, ours otherwise."""

from __future__ import annotations

import math

from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    JobLost,
    LimitExceeded,
    ModelUnavailable,
    NotConnected,
    NotKept,
    ProtocolError,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)
from tritonkit.gateway.protocol.values import quoted

__all__ = ["encode_error", "error_body", "retry_after", "status_of"]

# The first that fits; a subclass stands before its base.
_STATUSES: tuple[tuple[type[RequestError], int], ...] = (
    (InvalidInput, 400),
    (ModelUnavailable, 404),
    (JobLost, 404),
    (BudgetExceeded, 429),
    (DeadlineExceeded, 504),
    (CircuitOpen, 503),
    (LimitExceeded, 503),
    (ServerOverloaded, 503),
    (NotKept, 503),
    (NotConnected, 503),
    (ServerUnavailable, 502),
    (ProtocolError, 502),
    (InferenceFailed, 500),
)

_JSON = (b"content-type", b"application/json")


def encode_error(error: RequestError) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """
    Status, body and headers of the answer to a request that failed.

    A server's refusal goes back with its own status and body. What our own layers refuse
    has the status that says what to do: 429 and 503 come with Retry-After where it is
    known, in whole seconds, rounded up.
    """
    # A redirect, or a success of another kind, is no refusal: it would mislead.
    if error.status is not None and error.status >= 400 and error.said is not None:
        if isinstance(error.said, bytes):
            kind = error.content_type.encode()
            if error.status == 404 and isinstance(error, ModelUnavailable):
                # Triton says so of another type to an inference than to a question, and a
                # cache may have asked the question.
                kind = b"text/plain"
            return error.status, error.said, [(b"content-type", kind)]
        return error.status, error_body(error.said), [_JSON]
    headers = [_JSON]
    seconds = retry_after(error)
    if seconds is not None:
        headers.append((b"retry-after", b"%d" % seconds))
    return status_of(error), error_body(str(error)), headers


def status_of(error: RequestError) -> int:
    """The status that says what to do, whatever a server said."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def retry_after(error: RequestError) -> int | None:
    """Whole seconds until the same request may have an answer; None where nobody knows."""
    if isinstance(error, (BudgetExceeded, CircuitOpen)):
        return max(1, math.ceil(min(error.retry_after, 86400.0)))
    return 1 if isinstance(error, NotConnected) else None


def error_body(message: str) -> bytes:
    """The body that says what went wrong, as Triton writes it."""
    return b'{"error":%s}' % quoted(message)
