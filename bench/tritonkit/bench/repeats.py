"""From the repeats of a point to its measurement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tritonkit.bench.measurement import Measurement, Point, Usage
from tritonkit.bench.observe.observer import Observed
from tritonkit.bench.observe.statistics import ModelTimes, summed
from tritonkit.bench.plan import Plan
from tritonkit.bench.record.summary import summary
from tritonkit.bench.record.window import Window

__all__ = ["Repeat", "combined", "risen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """
    One window and what was seen around it.

    Args:
        window: What the load generator recorded.
        interrupted: Whether it ended before its time.
        seen: What observers saw.
        client_cpu: Cores that this process used.
        server: What the server's counters gained; None where it does not tell.
        counted: What the target's own counters gained.
        started: When the warm-up that was asked for had ended, in seconds since 1970.
    """

    window: Window
    interrupted: bool
    seen: Observed
    client_cpu: float
    server: tuple[ModelTimes, ...] | None
    counted: Mapping[str, float]
    started: float


def combined(point: Point, repeats: Sequence[Repeat], plan: Plan) -> Measurement:
    """
    One measurement of all repeats, of which there is at least one.

    Requests and the server's times add up; what observers saw is the mean of the
    windows, and of memory the most.
    """
    servers = [repeat.server for repeat in repeats if repeat.server is not None]
    return Measurement(
        point=point,
        usage=_mean_usage(
            [repeat.seen.usage(repeat.client_cpu, plan.processes) for repeat in repeats]
        ),
        server=summed(servers) if servers else None,
        metrics=_means([{**each.seen.metrics, **each.counted} for each in repeats]),
        interrupted=any(repeat.interrupted for repeat in repeats) or len(repeats) < plan.repeats,
        # What was cut off as a warm-up is no part of the window.
        started=repeats[0].started + repeats[0].window.warmup - plan.warmup,
        **summary([repeat.window for repeat in repeats], plan.percentiles, seed=plan.seed),
    )


def risen(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What counters gained; those that did not are left out."""
    gains = {name: value - before.get(name, 0.0) for name, value in after.items()}
    return {name: gain for name, gain in gains.items() if gain}


def _mean_usage(usages: Sequence[Usage]) -> Usage:
    server_cpus = [each.server_cpu for each in usages if each.server_cpu is not None]
    server_rss = [each.server_rss_bytes for each in usages if each.server_rss_bytes is not None]
    return Usage(
        client_cpu=fmean(each.client_cpu for each in usages),
        client_processes=usages[0].client_processes,
        client_rss_bytes=max(each.client_rss_bytes for each in usages),
        server_cpu=fmean(server_cpus) if server_cpus else None,
        server_rss_bytes=max(server_rss, default=None),
        gpu_utilisation=_means([each.gpu_utilisation for each in usages]),
        gpu_memory_bytes={
            uuid: max(each.gpu_memory_bytes.get(uuid, 0) for each in usages)
            for uuid in _names(each.gpu_memory_bytes for each in usages)
        },
        gpu_power_watts=_means([each.gpu_power_watts for each in usages]),
    )


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What is missing in one of them was 0 there."""
    return {name: fmean(each.get(name, 0.0) for each in values) for name in _names(values)}


def _names(values: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for each in values for name in each))
