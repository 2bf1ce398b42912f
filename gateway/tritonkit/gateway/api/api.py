"""The routes for applications, together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.corpora import Corpora
from tritonkit.gateway.api.embed import Embed
from tritonkit.gateway.api.embedder import Embedder
from tritonkit.gateway.api.entrance import Entrance, Reply
from tritonkit.gateway.api.jobs import Jobs
from tritonkit.gateway.api.metrics.exposition import Exposition
from tritonkit.gateway.api.metrics.traffic import Traffic
from tritonkit.gateway.api.openapi import document
from tritonkit.gateway.api.outcomes import Outcomes
from tritonkit.gateway.api.search import Search
from tritonkit.gateway.api.settings import ApiSettings
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.tenants import Tenants

if TYPE_CHECKING:
    from starlette.routing import Route

__all__ = ["Api"]


class Api:
    """
    Jobs, outcomes, embeddings, metrics.

    Args:
        serving: Of the worker.
        tenants: Who may.
        settings: Of the gateway's table.
        traffic: Of the worker; one of its observers.
        exposition: Of the worker; started and closed with this.

    Raises:
        MissingExtra: If starlette is not installed.
    """

    def __init__(
        self,
        serving: Serving,
        tenants: Tenants,
        settings: ApiSettings,
        traffic: Traffic,
        exposition: Exposition,
    ) -> None:
        self.embedder = Embedder(settings.models)
        """Of the text models, for whatever else asks them."""
        self._exposition = exposition
        self._corpora = Corpora(serving.client, settings.corpora, self.embedder)
        self._document = document()
        entrance = Entrance(serving, tenants, traffic, settings.body_bytes)
        embed, search = Embed(self.embedder), Search(self.embedder, self._corpora)
        jobs = Jobs(serving.client, serving.workers, settings.wait_seconds)
        outcomes = Outcomes(serving.client, settings.max_outcomes)
        route = entrance.route
        self.routes: list[Route] = [
            route("/api/embed", ["POST"], "infer", "embed", embed.embed, observed=True),
            route(
                "/api/similarity", ["POST"], "infer", "similarity", embed.similarity, observed=True
            ),
            route("/api/search", ["POST"], "infer", "search", search.search, observed=True),
            route("/api/jobs", ["POST"], "jobs", "jobs", jobs.submit, observed=True),
            route("/api/jobs/{id}", ["GET"], "jobs", "job", jobs.look),
            route("/api/outcomes", ["POST"], "outcomes", "outcomes", outcomes.record),
            route("/metrics", ["GET"], "metrics", "metrics", self._metrics),
            route("/api/openapi.json", ["GET"], None, "openapi", self._openapi),
        ]

    def start(self) -> None:
        """Begin what happens by itself; within the worker's event loop."""
        self._exposition.start()

    async def aclose(self) -> None:
        """End it."""
        await self._corpora.aclose()
        await self._exposition.aclose()

    async def _metrics(self, call: Call) -> Reply:
        body, kind = await self._exposition.text(call.accept)
        return Reply(body, headers={"content-type": kind, "vary": "accept"})

    async def _openapi(self, call: Call) -> Reply:
        return Reply(self._document)
