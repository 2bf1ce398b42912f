"""Prometheus reads what telemetries know, when it asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tritonkit.client.layers.telemetry.families import FAMILIES, PREFIX, Family
from tritonkit.client.layers.telemetry.snapshot import QUANTILES, Snapshot
from tritonkit.errors import ConfigError
from tritonkit.extras import require

if TYPE_CHECKING:
    from tritonkit.client.layers.telemetry.labels import Labels
    from tritonkit.client.layers.telemetry.telemetry import Telemetry
    from tritonkit.client.statistics.latency import LatencySketch

__all__ = ["BOUNDS", "MetricsCollector", "MetricsServer"]

BOUNDS = tuple(m * 10.0**e for e in range(-5, 2) for m in (1, 2, 5))
"""Seconds: the bounds of the histogram, from 10 us to 50 s."""

_Sample = tuple[dict[str, str], float]


class MetricsCollector:
    """
    A collector for any registry of prometheus_client.

    Nothing is kept here: every scrape is read from the telemetries. Those of several
    clients in one process go into one collector, told apart by the label "client".

    Args:
        telemetries: Of different names.

    Raises:
        ConfigError: If two have one name.
        MissingExtra: If prometheus-client is not installed.
    """

    def __init__(self, telemetries: Sequence[Telemetry]) -> None:
        names = [telemetry.name for telemetry in telemetries]
        if len(set(names)) < len(names):
            raise ConfigError(f"telemetries must have different names, but got {names}.")
        self._core = require("prometheus_client.core", extra="metrics")
        self._telemetries = tuple(telemetries)

    def describe(self) -> list[Any]:
        """Nothing: registering it reads nothing."""
        return []

    def collect(self) -> Iterator[Any]:
        """The metrics of now."""
        taken = [(each.name, *each.take()) for each in self._telemetries]
        samples: dict[str, list[_Sample]] = {family.name: [] for family in FAMILIES}
        extra: dict[str, Family] = {}
        for client, snapshot, latencies in taken:
            for name, kind, labels, value in _numbers(snapshot, latencies):
                if name not in samples:
                    # Of somebody else's layer.
                    made = Family(name, "gauge" if kind == "gauge" else "counter", (), name)
                    extra[name] = made
                    samples[name] = []
                samples[name].append(({"client": client, **labels}, value))
        for family in (*FAMILIES, *extra.values()):
            if family.kind == "histogram":
                yield self._histogram(family, taken)
            else:
                yield self._plain(family, samples[family.name])

    def _plain(self, family: Family, samples: Sequence[_Sample]) -> Any:
        kinds = {
            "counter": self._core.CounterMetricFamily,
            "gauge": self._core.GaugeMetricFamily,
        }
        metric = kinds[family.kind](PREFIX + family.name, family.help)
        suffix = "_total" if family.kind == "counter" else ""
        for labels, value in samples:
            labels = {name: _text(of) for name, of in labels.items()}
            metric.add_sample(PREFIX + family.name + suffix, labels, value)
        return metric

    def _histogram(
        self, family: Family, taken: Sequence[tuple[str, Snapshot, dict[Labels, LatencySketch]]]
    ) -> Any:
        metric = self._core.HistogramMetricFamily(
            PREFIX + family.name, family.help, labels=["client", *family.labels]
        )
        for client, _, latencies in taken:
            for labels, sketch in sorted(latencies.items()):
                counts = [*sketch.up_to(BOUNDS), sketch.count]
                bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
                metric.add_metric(
                    [_text(client), *map(_text, labels)],
                    list(zip(bounds, counts, strict=True)),
                    sketch.sum_ns / 1e9,
                )
        return metric


class MetricsServer:
    """
    Serves a collector over HTTP from a daemon thread.

    Args:
        collector: What to serve.
        port: 0 for a free one.
        host: Where to listen.

    Raises:
        ConfigError: If the port is taken.
    """

    def __init__(self, collector: MetricsCollector, port: int, host: str) -> None:
        client = require("prometheus_client", extra="metrics")
        registry = client.CollectorRegistry()
        registry.register(collector)
        try:
            self._server, self._thread = client.start_http_server(
                port, addr=host, registry=registry
            )
        except (OSError, OverflowError) as error:
            raise ConfigError(f"cannot serve metrics on {host}:{port}: {error}") from error
        self._lock = threading.Lock()
        self._open = True

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop. A second time does nothing."""
        with self._lock:
            was_open, self._open = self._open, False
        if was_open:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def _text(value: str) -> str:
    """What can be written: half a character, in the name of a model, would stop every scrape."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _numbers(
    snapshot: Snapshot, latencies: dict[Labels, LatencySketch]
) -> Iterator[tuple[str, str, dict[str, str], float]]:
    for each in snapshot.answered:
        labels = {
            "model": each.model, "tier": each.tier, "arm": each.arm, "cache": each.cache
        }  # fmt: skip
        yield "requests", "counter", labels, each.requests
        yield "rows", "counter", labels, each.rows
        yield "attempts", "counter", labels, each.attempts
        yield "answer_cost", "counter", labels, each.cost
    for key, sketch in sorted(latencies.items()):
        for share, seconds in zip(QUANTILES, sketch.quantiles(QUANTILES), strict=True):
            quantile = {**key._asdict(), "quantile": f"{share:g}"}
            yield "latency_quantile_seconds", "gauge", quantile, seconds
    for failed in snapshot.failed:
        labels = {"model": failed.model, "kind": failed.error, "arm": failed.arm}
        yield "errors", "counter", labels, failed.requests
    for name, label, table in (
        ("row_origins", "origin", snapshot.origins),
        ("row_tiers", "tier", snapshot.tiers),
        ("degraded", "reason", snapshot.degraded),
        ("tokens", "direction", snapshot.tokens),
    ):
        for model, counts in table.items():
            for value, count in counts.items():
                yield name, "counter", {"model": model, label: value}, count
    for scope, alarms in snapshot.spikes.items():
        yield "token_spikes", "counter", {"scope": scope}, alarms
    yield "in_flight", "gauge", {}, snapshot.in_flight
    yield "label_overflows", "counter", {}, snapshot.overflows
    if snapshot.requests:
        yield "cost_per_success", "gauge", {}, snapshot.cost_per_success
    for reading in snapshot.readings:
        yield reading.name, reading.kind, dict(reading.labels), reading.value
