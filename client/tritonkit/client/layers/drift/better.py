"""What a better model says of rows whose callers have their answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from tritonkit.client.layers.tiers.background import Background
from tritonkit.client.route import Route
from tritonkit.client.types import InferRequest, InferResponse, Service, Tensors

__all__ = ["Better"]

_TIMEOUT = 30.0
_CALLS = 4
_WAITING = 64


class Better:
    """
    Asks a better route for rows, a few at a time, with priority "shadow".

    Args:
        route: The better one.
        told: Is given the model, what the caller got, and what the route answers.
    """

    def __init__(self, route: Route, told: Callable[[str, Tensors, Tensors], None]) -> None:
        self.route = route
        self.failed = 0
        self._told = told
        self._calls = Background(_CALLS)
        self._waiting: deque[tuple[InferRequest, Tensors]] = deque(maxlen=_WAITING)

    def wait(self, request: InferRequest, given: Tensors) -> None:
        """Ask soon; the oldest of those that wait is given up where there are too many."""
        self._waiting.append((replace(request, priority="shadow"), given))

    def ask(self, inner: Service) -> None:
        """Begin what waits, as far as there is a place."""
        while not self._calls.full:
            try:
                waiting = self._waiting.popleft()
            except IndexError:
                # None, or another thread was faster.
                break
            self._calls.start(self._ask(*waiting, inner))

    async def aclose(self) -> None:
        """Give up what is asked, and close the route."""
        await self._calls.aclose()
        await self.route.aclose()

    async def _ask(self, request: InferRequest, given: Tensors, inner: Service) -> InferResponse:
        asked = replace(request, deadline=monotonic() + _TIMEOUT, id="", outputs=None)
        try:
            response = await self.route(asked, inner)
        except BaseException:
            self.failed += 1
            raise
        self._told(request.model, given, response.outputs)
        return response
