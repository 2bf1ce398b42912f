"""The parts of one worker, put together."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.policy.policy import Policy
from tritonkit.gateway.api.api import Api
from tritonkit.gateway.api.metrics.exposition import Exposition
from tritonkit.gateway.api.metrics.traffic import Traffic
from tritonkit.gateway.config.config import GatewayConfig
from tritonkit.gateway.faults.rig import Rig
from tritonkit.gateway.http.app import GatewayApp
from tritonkit.gateway.http.inference import Inference, budgeted
from tritonkit.gateway.http.routes import starlette_app
from tritonkit.gateway.live.live import Live
from tritonkit.gateway.live.routes import LiveRoutes
from tritonkit.gateway.live.settings import LiveSettings
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.tenants import Tenants
from tritonkit.gateway.upstream.forward import Forward
from tritonkit.gateway.workers.plan import Plan

__all__ = ["Assembly"]


class Assembly:
    """
    All that a worker answers with, made by a policy and its table; within its event loop.

    Args:
        policy: Of the plan.
        config: Of the plan.
        plan: What every worker does.
        worker: Number of this one.
        port: Where the gateway listens.
    """

    def __init__(
        self, policy: Policy, config: GatewayConfig, plan: Plan, *, worker: int, port: int
    ) -> None:
        folder = Path(plan.folder) if plan.folder else None
        rig = Rig(traffic=config.live.traffic) if plan.faults or config.listening.faults else None
        client, telemetry, accounted = _client(policy, config, rig)
        self.client = client
        self.serving = Serving(
            client=client, telemetry=telemetry, worker=worker, workers=plan.workers, folder=folder
        )
        self.tenants = Tenants(
            config.tenants,
            shared=None if folder is None else folder / "tenants",
            worker=worker,
            workers=plan.workers,
        )
        self.traffic = Traffic(self.tenants)
        self.serving.observers.append(self.traffic.observe)
        shared = folder if plan.workers > 1 else None
        self._api = Api(
            self.serving,
            self.tenants,
            config.api,
            self.traffic,
            Exposition(self.serving, self.traffic, shared),
        )
        routes = [self._api.routes]
        self._live: Live | None = None
        settings = _history(config.live, plan)
        if settings.on:
            self._live = Live(self.serving, settings, port=port, rig=rig)
            names = tuple(model.name for model in config.api.models)
            page = LiveRoutes(self._live, self.tenants, self.traffic, self._api.embedder, names)
            routes.append(page.routes)
        forward = Forward(client.transport)
        bounds = config.bounds
        self.app = GatewayApp(
            self.serving,
            self.tenants,
            forward,
            Inference(
                self.serving,
                self.tenants,
                forward,
                max_body=bounds.max_body,
                timeout=config.listening.timeout,
                accounted=accounted and not config.listening.unaccounted,
            ),
            max_body=bounds.max_body,
            routes=starlette_app(*routes),
            routes_body=min(bounds.max_body, config.api.body_bytes),
        )

    def start(self) -> None:
        """Begin what happens by itself."""
        self._api.start()
        if self._live is not None:
            self._live.start()

    def drain(self) -> None:
        """End what has no end of its own."""
        if self._live is not None:
            self._live.drain()

    async def aclose(self) -> None:
        """End all parts; one that fails to end keeps none of the others."""
        async with AsyncExitStack() as closing:
            closing.callback(self.tenants.close)
            closing.push_async_callback(self.client.aclose)
            closing.push_async_callback(self._api.aclose)
            if self._live is not None:
                closing.push_async_callback(self._live.aclose)


def _client(
    policy: Policy, config: GatewayConfig, rig: Rig | None
) -> tuple[AsyncClient, Telemetry, bool]:
    """The policy's client, its outermost Telemetry or one more, and whether a budget counts."""
    server, layers = policy.build()
    accounted = budgeted(layers)
    if layers and isinstance(layers[0], Telemetry):
        telemetry = layers[0]
    else:
        telemetry = Telemetry("gateway")
        layers = [telemetry, *layers]
    if rig is not None:
        models = [model.model for model in config.api.models]
        server, layers = rig.around(server, layers, models=models)
    client = AsyncClient(
        server,
        layers,
        jobs=policy.jobs(),
        pace=policy.pace(),
        experiments=policy.experiments(),
    )
    return client, telemetry, accounted


def _history(settings: LiveSettings, plan: Plan) -> LiveSettings:
    """Where the page's history is: a port that is another one each time names no file to keep."""
    if plan.port or settings.history or not settings.on:
        return settings
    return replace(settings, history=f"{plan.folder}/live.sqlite" if plan.folder else "none")
