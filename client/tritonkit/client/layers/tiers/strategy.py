"""How one of several routes is chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tritonkit.client.layers.tiers.signatures import RouteSignatures
from tritonkit.client.route import Route
from tritonkit.client.stack import Immediate
from tritonkit.client.types import InferRequest, InferResponse, Service

__all__ = ["Strategy"]


class Strategy(ABC):
    """
    Answers a request by some of the routes.

    One belongs to one Tiers. Routes come in the order in which they are wished
    for: the best, and dearest, first.
    """

    def check(self, routes: Sequence[Route]) -> None:  # noqa: B027, most take any
        """
        Look whether these routes will do.

        Raises:
            ConfigError: If not.
        """

    def attach(self, signatures: RouteSignatures) -> None:  # noqa: B027, few need to know
        """Learn whom to ask what the models take and give, before the first request."""

    def now(
        self, request: InferRequest, routes: Sequence[Route], inner: Immediate
    ) -> InferResponse | None:
        """The answer, where it can be had without waiting; None by default."""
        return None

    @abstractmethod
    async def __call__(
        self, request: InferRequest, routes: Sequence[Route], inner: Service
    ) -> InferResponse:
        """
        Answer *request*; the trace names the routes, and why it is none of the best.

        Args:
            request: Belongs to no sequence.
            routes: All of them, the best first.
            inner: What a route asks that has no server of its own.

        Raises:
            RequestError: If no route answers.
            ConfigError: If the routes do not go together.
        """

    async def aclose(self) -> None:  # noqa: B027, most hold nothing
        """End what goes on in the background; nothing by default."""
