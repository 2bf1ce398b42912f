"""The gateway as a process, and what it says of itself."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import decode_json, encode_get
from tritonkit.client.wire.pool import Pool
from tritonkit.errors import RequestError, ServerStartError
from tritonkit.gateway.demo.child import Child

__all__ = ["Page", "await_gateway", "open_here", "start_gateway"]

_PATIENCE = 60.0
"""Seconds that it may take to start; beside a busy Triton it takes a few."""

_TIMEOUT = 5.0
"""Seconds of a question; a busy machine takes more than one."""

open_here = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
"""As `urllib.request.urlopen`, without the proxy that the environment may name."""


def start_gateway(
    arguments: Sequence[str], folder: Path, *, port: int, name: str = "gateway"
) -> Child:
    """
    Start `tritonkit gateway` on this machine.

    Args:
        arguments: Of the command, such as "--policy" and a file.
        folder: For its log, and for what it keeps where the policy names no place.
        port: That it listens on, at 127.0.0.1.
        name: Of the log.
    """
    command = [sys.executable, "-m", "tritonkit", "gateway", "--port", str(port)]
    kept = {"XDG_STATE_HOME": str(folder)}
    return Child([*command, *arguments], folder, name=name, environment=kept)


class Page:
    """The live page, as a program reads it."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._pool = Pool(address, max_connections=2)

    async def state(self) -> Mapping[str, Any] | None:
        """What the page shows; None where it does not answer."""
        try:
            reply = await self._pool.exchange(
                encode_get("/live/state", self._address), monotonic() + _TIMEOUT
            )
            return decode_json(reply)
        except RequestError:
            return None

    async def switch(self, document: Mapping[str, Any]) -> str:
        """Switch a fault; what the gateway says against it, empty where nothing."""
        body = json.dumps(document).encode()
        head = (
            f"POST /live/fault HTTP/1.1\r\nHost: {self._address.authority}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            decode_json(await self._pool.exchange(head.encode() + body, monotonic() + _TIMEOUT))
        except RequestError as error:
            return str(error)
        return ""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def await_gateway(child: Child, address: Address) -> None:
    """
    Wait until the gateway is ready.

    Raises:
        ServerStartError: If it ends, or takes too long.
    """
    url = f"http://{address.authority}/v2/health/ready"
    end = monotonic() + _PATIENCE
    while monotonic() < end and child.poll() is None:
        try:
            with open_here(url, timeout=_TIMEOUT) as reply:
                if reply.status == 200:
                    return
        except OSError:
            pass
        sleep(0.05)
    ended = child.poll()
    what = f"ended with {ended}" if ended is not None else f"is not ready after {_PATIENCE:g} s"
    raise ServerStartError(f"the gateway {what}; it said:\n{child.log_tail()}")
