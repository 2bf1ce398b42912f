"""What answers where no route does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tritonkit.client.layers.tiers.signatures import RouteSignatures
from tritonkit.client.route import Route
from tritonkit.client.types import InferRequest, InferResponse, Service

__all__ = ["LastResort"]


class LastResort(ABC):
    """An answer that is less than a model's; its trace says so."""

    stands_in = True
    """Whether it has an answer where nobody knows what the model takes; see `Layer.stands_in`."""

    def attach(self, signatures: RouteSignatures) -> None:  # noqa: B027, few need to know
        """Learn whom to ask what the models give."""

    async def learn(  # noqa: B027, few need to know
        self, request: InferRequest, routes: Sequence[Route], response: InferResponse
    ) -> None:
        """
        See a full answer, while the server is there.

        Raises:
            ConfigError: If this resort could not stand in for it.
        """

    @abstractmethod
    async def __call__(
        self, request: InferRequest, routes: Sequence[Route], inner: Service, cause: str
    ) -> InferResponse:
        """
        Stand in for the routes.

        Args:
            request: That no route answered.
            routes: All of them, the best first.
            inner: The service below Tiers.
            cause: Of the failure, for the trace.

        Raises:
            RequestError: If there is no answer here either.
        """
