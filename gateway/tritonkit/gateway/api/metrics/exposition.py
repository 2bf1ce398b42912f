"""`/metrics`: what all workers counted, as Prometheus reads it."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tritonkit.extras import require
from tritonkit.gateway.api.metrics.board import Board
from tritonkit.gateway.api.metrics.family import Family, Sample, together
from tritonkit.gateway.api.metrics.text import as_text
from tritonkit.gateway.api.metrics.traffic import PREFIX, Traffic
from tritonkit.gateway.serving import Serving

__all__ = ["INTERVAL", "Exposition"]

INTERVAL = 1.0
"""Seconds from one time that a worker lays down its numbers to the next."""

_log = logging.getLogger("tritonkit.gateway.metrics")


class Exposition:
    """
    The metrics of this worker, and those that the others laid down at most a second ago.

    Of this worker: what its Telemetry knows of calls and layers, what Traffic counted, and
    what the operating system knows of the process. Make it after the fork.

    Args:
        serving: Whose telemetry is read.
        traffic: Of this worker.
        folder: That all workers share; None where there is one.

    Raises:
        MissingExtra: If prometheus-client is not installed.
    """

    def __init__(self, serving: Serving, traffic: Traffic, folder: Path | None = None) -> None:
        self._exposition = require("prometheus_client.exposition", extra="gateway")
        self._collector = serving.telemetry.collector()
        client = require("prometheus_client", extra="gateway")
        self._process = client.ProcessCollector(registry=None)
        self._traffic = traffic
        self._shared = folder is not None
        self._board = Board(folder, serving.worker)
        # A scrape and the publishing are threads; what is laid down last must be newest.
        self._lock = threading.Lock()
        self._publishing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Lay down the numbers every second, where others look for them."""
        if self._shared and self._publishing is None:
            self._publishing = asyncio.get_running_loop().create_task(self._publish())

    async def aclose(self) -> None:
        """Lay them down once more, and stop."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.gather(self._publishing, return_exceptions=True)
            self._publishing = None
            await asyncio.to_thread(self._lay_down)

    async def text(self, accept: str) -> tuple[bytes, str]:
        """
        The metrics of all workers.

        Args:
            accept: The header of the scrape; OpenMetrics where it asks for that.

        Returns:
            The body and its content type.
        """
        return await asyncio.to_thread(self._text, accept)

    def _text(self, accept: str) -> tuple[bytes, str]:
        self._lay_down()
        families = together(self._board.read())
        try:
            content_type = self._exposition.choose_encoder(accept)[1]
        except (ValueError, TypeError):
            # Of a version that is no number.
            content_type = self._exposition.choose_encoder("")[1]
        openmetrics = content_type.startswith("application/openmetrics-text")
        return as_text(families, openmetrics=openmetrics), content_type

    def _lay_down(self) -> None:
        with self._lock:
            self._board.lay_down(list(self._families()))

    async def _publish(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._lay_down)
            except OSError as error:
                _log.warning("the metrics of this worker cannot be laid down: %s", error)
            await asyncio.sleep(INTERVAL)

    def _families(self) -> Iterator[Family]:
        yield from self._traffic.families()
        yield Family(
            f"{PREFIX}worker_timestamp_seconds",
            "gauge",
            "When the worker was heard of last, in seconds since 1970",
            [Sample("", {}, datetime.now(UTC).timestamp())],
        )
        yield from _read(self._collector.collect())
        yield from _read(self._process.collect())


def _read(metrics: Iterable[Any]) -> Iterator[Family]:
    """Those of prometheus_client as values."""
    for metric in metrics:
        samples = [
            Sample(each.name.removeprefix(metric.name), dict(each.labels), float(each.value))
            for each in metric.samples
            if not math.isnan(each.value)
        ]
        yield Family(metric.name, metric.type, metric.documentation, samples)
