"""One worker: the policy's client behind a server, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

from tritonkit.extras import require
from tritonkit.gateway.http.server import Server
from tritonkit.gateway.workers.assembly import Assembly
from tritonkit.gateway.workers.descriptors import allow_descriptors
from tritonkit.gateway.workers.plan import Plan
from tritonkit.gateway.workers.signals import Ending

__all__ = ["serve"]

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

    SIGTERM, SIGINT or SIGHUP drains; a second one ends at once.

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
    signals = Ending()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(plan, listener, worker, ready, owner, signals))


async def _serve(
    plan: Plan,
    listener: socket.socket,
    worker: int,
    ready: Callable[[], None],
    owner: Callable[[], Awaitable[object]] | None,
    signals: Ending,
) -> int:
    policy, config = plan.read()
    bounds = config.bounds
    allow_descriptors(bounds.max_connections)
    port = listener.getsockname()[1]
    parts = Assembly(policy, config, plan, worker=worker, port=port)
    server = Server(listener, parts.app, bounds, parts.traffic.refused)
    parts.traffic.server = server
    stop, at_once = asyncio.Event(), asyncio.Event()

    def told() -> None:
        (at_once if stop.is_set() else stop).set()

    signals.tell(asyncio.get_running_loop(), told)
    watching = None if owner is None else asyncio.ensure_future(owner())
    if watching is not None:
        watching.add_done_callback(lambda _: stop.set())
    parts.start()
    server.start()
    ready()
    try:
        await stop.wait()
        ending = asyncio.ensure_future(_end(parts, server, bounds.drain_delay, bounds.grace))
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
        if not at_once.is_set():
            await parts.aclose()


async def _end(parts: Assembly, server: Server, delay: float, grace: float) -> bool:
    parts.app.leaving = "the gateway is about to end"
    _log.info("draining: readiness says no for %s s, then requests have %s s", delay, grace)
    await asyncio.sleep(delay)
    parts.drain()
    return await server.drain(grace)
