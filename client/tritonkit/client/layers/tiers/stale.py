"""A kept answer, however old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from time import monotonic

from tritonkit.client.layers.tiers.fallback import answered
from tritonkit.client.layers.tiers.last_resort import LastResort
from tritonkit.client.route import Route
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import NotKept, RequestError
from tritonkit.units import parse_duration

__all__ = ["Stale"]


class Stale(LastResort):
    """
    What a Cache below still has, of the best route first.

    The Cache stands below Tiers or in the layers of a route, with
    `stale_if_error` as long as an answer may serve. A Cache above Tiers needs no
    Stale: its own `stale_if_error` stands in for all of Tiers.

    Raises NotKept where no cache has an answer for every row.

    Args:
        timeout: For all routes together. What memory has comes at once; 50 ms are
            enough for a Redis that is well, and a server that hangs holds nobody
            up for longer.
    """

    stands_in = False
    """What is kept is kept under inputs that were checked."""

    def __init__(self, *, timeout: str | float | timedelta = "50ms") -> None:
        self.timeout = parse_duration(timeout, name="timeout")

    def __repr__(self) -> str:
        return "Stale()"

    async def __call__(
        self, request: InferRequest, routes: Sequence[Route], inner: Service, cause: str
    ) -> InferResponse:
        """Ask each route for what is kept."""
        end = monotonic() + self.timeout
        deadline = end if request.deadline is None else min(end, request.deadline)
        kept = replace(request, only_kept=True, deadline=deadline)
        for route in routes:
            try:
                response = await route(kept, inner)
            except RequestError:
                continue
            return answered(response, route, f"stale: {cause}")
        raise NotKept(f"no answer of {request.model!r} is kept", model=request.model)
