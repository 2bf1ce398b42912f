"""What the server's metrics endpoint says before, during and after a window."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Collection, Iterable
from http.client import HTTPException
from urllib.parse import urlsplit

from tritonkit.bench.observe.exposition import Gains, Scrape, label, read_scrape
from tritonkit.bench.observe.observer import Observed, Observer
from tritonkit.bench.observe.sampler import Sampler
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError

__all__ = ["OFF", "Metrics", "find_metrics", "scrape"]

OFF = "off"
"""Instead of a URL: do not ask."""

INTERVAL = 1.0
"""Seconds between scrapes; Triton itself looks at its gauges every 2 s."""

_TIMEOUT = 2.0
_MOST_BYTES = 16 * 2**20
_METRICS_PORT = 8002
_STEPS = {"http": 2, "https": 2, "grpc": 1, "grpcs": 1}
"""From the port of the protocol to that of the metrics, as Triton's defaults have it."""

# The load goes to the server itself, and so does this; a proxy of the environment is not asked.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Metrics(Observer):
    """
    Scrapes a metrics endpoint.

    A scrape that fails is left out; what the counters gained until the last one that
    succeeded is kept, also where the server ended meanwhile.

    Args:
        url: Such as "http://localhost:8002/metrics".
        interval: Seconds between scrapes.
    """

    def __init__(self, url: str, *, interval: float = INTERVAL) -> None:
        self.url = url
        self._sampler = Sampler(self._sample, interval)
        self._gains = Gains()

    async def start(self) -> None:
        """Begin a window."""
        self._gains = Gains()
        await self._sampler.start()

    async def stop(self) -> Observed:
        """End it, and tell what was seen in between."""
        await self._sampler.stop()
        means, most = self._gains.means(), self._gains.most()
        return Observed(
            metrics={
                series: value
                for series, value in sorted({**self._gains.counters, **means}.items())
                if value
            },
            gpu_utilisation=_by_gpu("nv_gpu_utilization", means.items()),
            gpu_power_watts=_by_gpu("nv_gpu_power_usage", means.items()),
            gpu_memory_bytes={
                uuid: int(value)
                for uuid, value in _by_gpu("nv_gpu_memory_used_bytes", most.items()).items()
            },
        )

    def _sample(self) -> None:
        found = scrape(self.url)
        if isinstance(found, Scrape):
            self._gains.add(found)


def scrape(url: str) -> Scrape | str:
    """One answer of the endpoint, or why there is none."""
    try:
        with _OPENER.open(url, timeout=_TIMEOUT) as answer:
            text = answer.read(_MOST_BYTES).decode("utf-8", "replace")
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return str(reason) or type(reason).__name__
    return read_scrape(text) or "it answers with no Prometheus metrics"


async def find_metrics(
    choice: str | None, address: Address, ports: Collection[int] | None = None
) -> str | None:
    """
    The URL of the server's metrics.

    Args:
        choice: A URL, "off", or None to look for it.
        address: The server.
        ports: Where the server's process listens; only these are looked at, since
            another port may be another server's. None where that is not known.

    Returns:
        None where there is none, or none is wanted.

    Raises:
        ConfigError: If the URL that was given has no metrics.
    """
    if choice == OFF:
        return None
    if choice is not None:
        if urlsplit(choice).scheme not in ("http", "https"):
            raise ConfigError(
                f"metrics URL must be http://... or https://..., or 'off', but got {choice!r}."
            )
        found = await asyncio.to_thread(scrape, choice)
        if not isinstance(found, Scrape):
            raise ConfigError(f"no metrics at {choice!r}: {found}; 'off' does without them.")
        return choice
    usual = address.port + _STEPS[address.scheme]
    if address.port in (80, 443):
        usual = _METRICS_PORT
    known = {usual} if ports is None else set(ports) - {address.port}
    host = f"[{address.host}]" if ":" in address.host else address.host
    for port in sorted(known, key=lambda port: (port != usual, port)):
        url = f"http://{host}:{port}/metrics"
        found = await asyncio.to_thread(scrape, url)
        if isinstance(found, Scrape) and _is_tritons(found):
            return url
    return None


def _is_tritons(found: Scrape) -> bool:
    return any(series.startswith("nv_") for series in (*found.counters, *found.gauges))


def _by_gpu(name: str, gauges: Iterable[tuple[str, float]]) -> dict[str, float]:
    return {
        uuid: value
        for series, value in gauges
        if series.startswith(name + "{") and (uuid := label(series, "gpu_uuid")) is not None
    }
