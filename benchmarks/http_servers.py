"""
What one request costs the gateway's HTTP server, against uvicorn's fastest set-up.

Both answer the same 400 bytes of body with the same 200 bytes, by an app that does nothing
else: the gateway's server by its own app, uvicorn (httptools, uvloop, no access log) by a raw
ASGI app that reads the body and has the same two headers. The figure is the server's own CPU
time a request, so that other work on the machine and the client's cost stay out of it. The
servers take turns in every round, and a ratio is taken within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop

from tritonkit.client.wire.address import Address
from tritonkit.client.wire.connection import Connection

BODY = b"x" * 400
SAID = b"y" * 200
CONCURRENCIES = (1, 64)
_TICK = os.sysconf("SC_CLK_TCK")


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """The body, whole, and the answer."""
    if scope["type"] != "http":
        return
    parts = []
    while True:
        message = await receive()
        parts.append(message["body"])
        if not message["more_body"]:
            break
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(SAID))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": SAID})


def serve(kind: str) -> None:
    """A server on a free port, which it prints."""
    from tritonkit.gateway.http.bounds import Bounds
    from tritonkit.gateway.http.message import Answer, Request
    from tritonkit.gateway.http.server import Server
    from tritonkit.gateway.http.shop import Outcome
    from tritonkit.gateway.workers.listener import listen

    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    if kind == "uvicorn":
        import uvicorn

        config = uvicorn.Config(
            asgi_app, loop="uvloop", http="httptools", access_log=False, log_level="critical",
            lifespan="off",
        )  # fmt: skip
        listener.setblocking(True)
        uvicorn.Server(config).run(sockets=[listener])
        return

    answer = Answer(200, SAID, (("Content-Type", "application/json"),))

    async def later() -> Answer:
        return answer

    class App:
        def admit(self, head: object) -> int:
            return 1 << 20

        def answer(self, request: Request, connection: object) -> Outcome:
            return answer if kind == "at once" else later()

    async def run() -> None:
        server = Server(listener, App(), Bounds())
        server.start()
        await asyncio.Event().wait()

    uvloop.run(run())


def cpu(process: subprocess.Popen[str]) -> float:
    """Seconds of the processor that it has had."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


async def load(port: int, concurrency: int, seconds: float) -> int:
    """Requests that were answered by a closed loop."""
    address = Address("http", "127.0.0.1", port)
    head = b"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    end = perf_counter() + seconds

    async def one() -> int:
        connection = await Connection.open(address)
        count = 0
        while perf_counter() < end:
            reply = await connection.exchange(head + BODY)
            assert reply.status == 200
            assert bytes(reply.body) == SAID
            count += 1
        connection.close()
        return count

    return sum(await asyncio.gather(*(one() for _ in range(concurrency))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    kinds = ("uvicorn", "later", "at once")
    servers = {
        kind: subprocess.Popen(
            [sys.executable, __file__, "--serve", kind], stdout=subprocess.PIPE, text=True
        )
        for kind in kinds
    }
    try:
        ports = {}
        for kind, server in servers.items():
            assert server.stdout is not None
            ports[kind] = int(server.stdout.readline())
        for concurrency in CONCURRENCIES:
            costs: dict[str, list[float]] = {kind: [] for kind in kinds}
            for _ in range(options.rounds):
                for kind in kinds:
                    before = cpu(servers[kind])
                    count = uvloop.run(load(ports[kind], concurrency, options.seconds))
                    costs[kind].append((cpu(servers[kind]) - before) / count * 1e6)
            for kind in kinds:
                ratios = [a / b for a, b in zip(costs["uvicorn"], costs[kind], strict=True)]
                print(
                    f"concurrency {concurrency:2}  {kind:8} "
                    f"{statistics.median(costs[kind]):6.1f} us of CPU a request, "
                    f"uvicorn takes {statistics.median(ratios):4.2f} times as much "
                    f"({min(ratios):.2f} to {max(ratios):.2f})"
                )
    finally:
        for server in servers.values():
            server.kill()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()


if __name__ == "__main__":
    main()
