"""Measurements as a JSON document, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.measurement import Measurement, percentile_name
from tritonkit.bench.observe.statistics import ModelTimes
from tritonkit.errors import ConfigError

__all__ = ["FORMAT", "check_writable", "document", "write"]

FORMAT = "tritonkit-bench/1"
"""Goes up when a field changes its meaning or goes away."""


def document(conditions: Conditions, measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Everything that was measured, in JSON's types; what is not a number is null."""
    return {
        "format": FORMAT,
        "conditions": asdict(conditions),
        "measurements": [_measurement(measurement) for measurement in measurements],
    }


def check_writable(path: Path) -> None:
    """
    Find out before a long run what would keep its result from being written.

    Raises:
        ConfigError: If *path* is a folder, its folder is not there, or a file
            cannot be made in it.
    """
    with _refusing(path):
        if path.is_dir():
            raise ConfigError(f"the output {path} is a folder; name a file.")
        if not path.absolute().parent.is_dir():
            raise ConfigError(f"the folder of the output {path} does not exist.")
        aside = _aside(path)
        aside.touch()
        aside.unlink()


def write(path: Path, content: dict[str, Any]) -> None:
    """
    Write *content*, in place of what stood there before.

    Raises:
        ConfigError: If the file cannot be written; what stood there stays.
    """
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    aside = _aside(path)
    with _refusing(path):
        try:
            aside.write_text(text, encoding="utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    """Where the file is made, so that it is never half there."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"the output {path} cannot be written: {error}") from error


def _measurement(measurement: Measurement) -> dict[str, Any]:
    latency = measurement.latency
    return {
        "concurrency": measurement.point.concurrency,
        "batch_size": measurement.point.batch_size,
        "seconds": measurement.seconds,
        "requests": measurement.requests,
        "failed": measurement.failed,
        "error_rate": measurement.error_rate,
        "requests_per_second": measurement.requests_per_second,
        "inferences_per_second": measurement.inferences_per_second,
        "latency_us": {
            "mean": _number(latency.mean_us),
            "min": _number(latency.min_us),
            **{percentile_name(p): _number(value) for p, value in latency.percentiles_us.items()},
            "max": _number(latency.max_us),
        },
        "hdrhistogram_ns": latency.histogram,
        "failures": [asdict(failure) for failure in measurement.failures],
        "client_cpu": measurement.client_cpu,
        "interrupted": measurement.interrupted,
        "server": None if measurement.server is None else [_times(t) for t in measurement.server],
    }


def _times(times: ModelTimes) -> dict[str, Any]:
    return {
        "model": times.model,
        "requests": times.requests,
        "failed": times.failed,
        "inferences": times.inferences,
        "executions": times.executions,
        "mean_batch": times.mean_batch,
        "batches": {str(size): count for size, count in times.batches.items()},
        "queue_us": times.queue.mean_us,
        "compute_input_us": times.compute_input.mean_us,
        "compute_infer_us": times.compute_infer.mean_us,
        "compute_output_us": times.compute_output.mean_us,
        "cache_hits": times.cache_hit.count,
        "cache_hit_us": times.cache_hit.mean_us,
        "cache_misses": times.cache_miss.count,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
