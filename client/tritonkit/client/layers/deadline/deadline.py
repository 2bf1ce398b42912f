"""No request without an end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic

from tritonkit.client.stack import Immediate, Layer, Target
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import DeadlineExceeded
from tritonkit.units import format_duration, parse_duration

__all__ = ["Deadline"]

GRACE = 0.005
"""
Seconds in which what is below may speak first: transports keep the deadline by
themselves and say so, and to a Breaker a cancelled call says nothing.
"""


class Deadline(Layer):
    """
    Gives every request a deadline, and keeps it whatever the layers below do.

    Calls inner once, with the earlier one of the request's own deadline and that of
    this layer. Transports keep the deadline to the millisecond; what does not is
    cancelled 5 ms after it. Raises DeadlineExceeded either way.
    Everything below sees the deadline: Retry starts nothing that it leaves no time for, and
    what remains at each attempt is sent along as Triton's `timeout`, in microseconds. A
    model whose queue policy has `allow_timeout_override: true` drops a request
    from its queue by it; others ignore it.

    Put it outermost, for an end to everything; or below Retry, for one to each
    attempt.

    Args:
        timeout: From the moment that the request comes here; zero lets nothing through.

    Raises:
        ConfigError: If the timeout is no duration.
    """

    def __init__(self, timeout: str | float | timedelta) -> None:
        self.timeout = parse_duration(timeout, name="timeout")

    def __repr__(self) -> str:
        return f"Deadline({format_duration(self.timeout)!r})"

    def targets(self, target: Target) -> tuple[Target]:
        """The same, in no more than this time."""
        return (target.within(self.timeout),)

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting is in time."""
        return inner(request)

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Ask *inner*, for so long and no longer."""
        now = monotonic()
        deadline = now + self.timeout
        if request.deadline is None or request.deadline > deadline:
            request = request.but(deadline=deadline)
        else:
            deadline = request.deadline
        if deadline <= now:
            raise DeadlineExceeded(
                "the deadline passed before the request was sent", model=request.model
            )
        try:
            async with asyncio.timeout(deadline - now + GRACE) as limit:
                return await inner(request)
        except TimeoutError as error:
            if isinstance(error, DeadlineExceeded) or not limit.expired():
                raise
            raise DeadlineExceeded(
                f"model {request.model!r} gave no answer in {format_duration(deadline - now)}",
                model=request.model,
            ) from error
