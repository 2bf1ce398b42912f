"""How much of the time that is left a route may take, so that those after it have a chance."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from tritonkit.client.route import Route
from tritonkit.client.types import InferRequest

__all__ = ["allotted", "within"]


def allotted(remaining: float, timeouts: Sequence[float | None]) -> float:
    """
    Seconds for the first of several routes.

    Each wants its timeout. A route without one wants an equal share of what the
    others leave, or of all that remains where that is more. Where they want
    more than remains, all are cut by the same factor; the last one has what is left.

    Args:
        remaining: Seconds until the deadline, positive.
        timeouts: Of the routes that may be asked, in order; None for none.

    Returns:
        More than 0 and at most *remaining*, unless the route's own timeout is 0.
    """
    stated = sum(timeout for timeout in timeouts if timeout is not None)
    unstated = timeouts.count(None)
    share = 0.0
    if unstated:
        share = max(remaining / len(timeouts), (remaining - stated) / unstated)
    wanted = stated + unstated * share
    first = share if timeouts[0] is None else timeouts[0]
    return first * min(1.0, remaining / wanted) if wanted else 0.0


def within(request: InferRequest, routes: Sequence[Route]) -> InferRequest:
    """
    *request* with the deadline that the first of *routes* has, so that the others may follow.

    Args:
        request: With its own deadline, or none: then only timeouts of routes count.
        routes: Those that may be asked from now on, in order.
    """
    if request.deadline is None or len(routes) == 1:
        return request
    now = monotonic()
    remaining = request.deadline - now
    if remaining <= 0:
        return request
    share = allotted(remaining, [route.timeout for route in routes])
    return request.but(deadline=min(request.deadline, now + share))
