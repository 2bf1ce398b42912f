"""Sends traffic to a gateway on this machine."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

import numpy as np

from tritonkit.client.types import InferRequest
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import encode_infer
from tritonkit.client.wire.pool import Pool
from tritonkit.errors import ConfigError, RequestError
from tritonkit.gateway.demo.traffic import Asked, Traffic

__all__ = ["Load"]

_TICK = 0.01
"""Seconds between two looks at what is due."""


class Load:
    """
    An open loop of inference requests: each is sent when it is due, however others fare.

    What is due while too many are in flight is dropped and counted.

    Args:
        address: Of the gateway, on this machine: it is no tool against others.
        traffic: What is asked, on the clock of `time.monotonic`.
        texts: By whether they are shifted; the most popular first, at least as many as
            the traffic draws from.
        model: That is asked.
        headers: Of the user with that number.
        in_flight: At most.
        timeout: Seconds after which a request is given up.

    Raises:
        ConfigError: If the address is another machine's, or a bound is out of range.
    """

    def __init__(
        self,
        address: Address,
        traffic: Traffic,
        texts: Mapping[bool, Sequence[str]],
        *,
        model: str,
        headers: Callable[[int], bytes] = lambda user: b"",
        in_flight: int = 128,
        timeout: float = 10.0,
    ) -> None:
        if not _loopback(address.host):
            raise ConfigError(f"traffic is sent to this machine alone, but got {str(address)!r}.")
        if in_flight < 1:
            raise ConfigError(f"in_flight must be at least 1, but got {in_flight=}.")
        self.traffic = traffic
        self.statuses: Counter[int] = Counter()
        """Answers by their HTTP status; 0 for requests without one."""
        self.dropped = 0
        self.waited: list[float] = []
        """Seconds of each answer, from when it was due; whoever looks empties it."""
        self.said = ""
        """The last refusal, in its own words."""
        self._address = address
        self._texts = texts
        self._model = model
        self._headers = headers
        self._most = in_flight
        self._timeout = timeout
        self._pool = Pool(address, max_connections=in_flight)
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send until cancelled; then what is in flight is given up."""
        try:
            while True:
                for asked in self.traffic.until(monotonic()):
                    if len(self._under_way) >= self._most:
                        self.dropped += 1
                        continue
                    task = asyncio.create_task(self._send(asked))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
                await asyncio.sleep(_TICK)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            await self._pool.aclose()

    async def _send(self, asked: Asked) -> None:
        texts = self._texts[asked.shifted]
        rows = np.array([[texts[rank].encode()] for rank in asked.ranks], dtype=object)
        request = InferRequest(
            model=self._model,
            inputs={"text": rows},
            # What comes in batches can wait.
            priority="batch" if len(asked.ranks) > 1 else "live",
        )
        message = encode_infer(request, self._address, self._headers(asked.user))
        try:
            reply = await self._pool.exchange(message, monotonic() + self._timeout)
        except RequestError as error:
            self.statuses[0] += 1
            self.said = str(error)
            return
        self.statuses[reply.status] += 1
        if reply.status == 200:
            self.waited.append(monotonic() - asked.at)
        else:
            self.said = bytes(reply.body[:200]).decode(errors="replace")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
