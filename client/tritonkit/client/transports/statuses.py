"""What gRPC's status codes mean, without gRPC."""

from __future__ import annotations

from collections.abc import Mapping

from tritonkit.client.wire.address import Address
from tritonkit.client.wire.errors import refusal
from tritonkit.errors import NotConnected, RequestError, ServerUnavailable

__all__ = ["grpc_refusal"]

# The HTTP status that Triton's other front end gives to the same refusal.
_STATUSES: Mapping[int, int] = {
    1: 502,  # CANCELLED: a server that shuts down cancels what is in flight.
    3: 400,  # INVALID_ARGUMENT
    4: 504,  # DEADLINE_EXCEEDED
    5: 404,  # NOT_FOUND
    6: 400,  # ALREADY_EXISTS
    7: 403,  # PERMISSION_DENIED
    8: 429,  # RESOURCE_EXHAUSTED
    12: 501,  # UNIMPLEMENTED
    14: 503,  # UNAVAILABLE
    16: 401,  # UNAUTHENTICATED
}

_NO_CONNECTION = (
    "failed to connect to all addresses",
    "DNS resolution failed",
    "errors resolving",
)
"""gRPC's own words where it has no connection: nothing was sent."""


def grpc_refusal(code: int, text: str, address: Address, *, model: str = "") -> RequestError:
    """
    The error that a call's status means.

    Args:
        code: Such as 14, UNAVAILABLE.
        text: The details.
        address: Of the server.
        model: The model that was asked.
    """
    status = 413 if "larger than max" in text else _STATUSES.get(code, 500)
    error = refusal(status, text, model=model)
    if isinstance(error, ServerUnavailable):
        unsent = any(words in text for words in _NO_CONNECTION)
        if unsent:
            # Without a connection no server said anything.
            return NotConnected(f"{address}: {text}", model=model)
        return ServerUnavailable(f"{address}: {text}", model=model, status=status, said=text)
    return error
