"""One worker: the policy's client behind a server, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.policy.policy import Policy
from tritonkit.extras import require
from tritonkit.gateway.api.api import Api
from tritonkit.gateway.api.metrics.exposition import Exposition
from tritonkit.gateway.api.metrics.traffic import Traffic
from tritonkit.gateway.http.app import GatewayApp
from tritonkit.gateway.http.inference import Inference, budgeted
from tritonkit.gateway.http.routes import starlette_app
from tritonkit.gateway.http.server import Server
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.tenants import Tenants
from tritonkit.gateway.upstream.forward import Forward
from tritonkit.gateway.workers.plan import Plan

__all__ = ["client_of", "serve"]

_log = logging.getLogger(__name__)


def serve(
    plan: Plan,
    listener: socket.socket,
    *,
    worker: int = 0,
    ready: Callable[[], None] = lambda: None,
    owner: Callable[[], Awaitable[object]] | None = None,
) -> int:
    """
    Serve until a signal says to end.

    SIGTERM or SIGINT drains; a second one ends at once.

    Args:
        plan: What to serve.
        listener: Bound and listening.
        worker: Number of this process.
        ready: Called when requests are taken.
        owner: Ends where whoever started this process is gone.

    Returns:
        Exit status: 0 where all requests were answered, 1 where some were cut off.
    """
    uvloop = require("uvloop", extra="gateway")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(plan, listener, worker, ready, owner))


def client_of(policy: Policy) -> tuple[AsyncClient, Telemetry]:
    """The policy's client, with a Telemetry outermost: its own, or one more."""
    server, layers = policy.build()
    if layers and isinstance(layers[0], Telemetry):
        telemetry = layers[0]
    else:
        telemetry = Telemetry("gateway")
        layers = [telemetry, *layers]
    client = AsyncClient(
        server,
        layers,
        jobs=policy.jobs(),
        pace=policy.pace(),
        experiments=policy.experiments(),
    )
    return client, telemetry


async def _serve(
    plan: Plan,
    listener: socket.socket,
    worker: int,
    ready: Callable[[], None],
    owner: Callable[[], Awaitable[object]] | None,
) -> int:
    policy, config = plan.read()
    bounds = config.bounds
    client, telemetry = client_of(policy)
    folder = Path(plan.folder) if plan.folder else None
    serving = Serving(
        client=client, telemetry=telemetry, worker=worker, workers=plan.workers, folder=folder
    )
    tenants = Tenants(
        config.tenants,
        shared=None if folder is None else folder / "tenants",
        worker=worker,
        workers=plan.workers,
    )
    forward = Forward(client.transport)
    inference = Inference(
        serving,
        tenants,
        forward,
        max_body=bounds.max_body,
        timeout=config.listening.timeout,
        accounted=budgeted(client.stack.parts) and not config.listening.unaccounted,
    )
    traffic = Traffic(tenants)
    serving.observers.append(traffic.observe)
    exposition = Exposition(serving, traffic, folder if plan.workers > 1 else None)
    api = Api(serving, tenants, config.api, traffic, exposition)
    app = GatewayApp(
        serving,
        tenants,
        forward,
        inference,
        max_body=bounds.max_body,
        routes=starlette_app(api.routes),
    )
    server = traffic.server = Server(listener, app, bounds)
    stop, at_once = asyncio.Event(), asyncio.Event()

    def told() -> None:
        (at_once if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    watching = None if owner is None else asyncio.ensure_future(owner())
    if watching is not None:
        watching.add_done_callback(lambda _: stop.set())
    server.start()
    api.start()
    ready()
    try:
        await stop.wait()
        ending = asyncio.ensure_future(_end(app, server, bounds.drain_delay, bounds.grace))
        hurried = asyncio.ensure_future(at_once.wait())
        await asyncio.wait({ending, hurried}, return_when=asyncio.FIRST_COMPLETED)
        clean = ending.done() and ending.result()
        for task in (ending, hurried):
            task.cancel()
        await asyncio.gather(ending, hurried, return_exceptions=True)
        return 0 if clean else 1
    finally:
        await server.close()
        if watching is not None:
            watching.cancel()
        await api.aclose()
        tenants.close()
        if not at_once.is_set():
            await client.aclose()


async def _end(app: GatewayApp, server: Server, delay: float, grace: float) -> bool:
    app.leaving = "the gateway is about to end"
    _log.info("draining: readiness says no for %s s, then requests have %s s", delay, grace)
    await asyncio.sleep(delay)
    return await server.drain(grace)
