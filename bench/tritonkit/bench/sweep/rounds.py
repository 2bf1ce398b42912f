"""Rounds of one point, put together to one measurement."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from math import fsum

from tritonkit.bench.measurement import Band, Failure, Latency, Measurement, Slice, Usage
from tritonkit.bench.observe.statistics import summed
from tritonkit.bench.record.bands import bands
from tritonkit.bench.record.counts import Counts
from tritonkit.bench.record.decoded import counts_of, decode_counts
from tritonkit.bench.record.summary import latency_of

__all__ = ["merged_rounds"]


def merged_rounds(rounds: Sequence[Measurement]) -> Measurement:
    """
    One measurement of all rounds' windows: requests and counters add up.

    Its confidence intervals are those of windows that lie apart in time, so they hold
    what changes from one round to the next as well.

    Args:
        rounds: Of one point, at least one; in the order in which they were measured.
    """
    if len(rounds) == 1:
        return rounds[0]
    first = rounds[0]
    timeline = _timeline(rounds)
    servers = [one.server for one in rounds if one.server is not None]
    failures = Counter[str]()
    messages: dict[str, str] = {}
    for one in rounds:
        for failure in one.failures:
            failures[failure.kind] += failure.count
            messages.setdefault(failure.kind, failure.first)
    unstable = [one.unstable for one in rounds if one.unstable is not None]
    return dataclasses.replace(
        first,
        seconds=fsum(one.seconds for one in rounds),
        latency=_latency([one.latency for one in rounds]),
        service_time=_latency([one.service_time for one in rounds]),
        failures=tuple(
            Failure(kind=kind, count=count, first=messages[kind])
            for kind, count in failures.most_common()
        ),
        intended=sum(one.intended for one in rounds),
        dropped=sum(one.dropped for one in rounds),
        late_us=max(one.late_us for one in rounds),
        usage=_usage(rounds),
        timeline=timeline,
        unstable="; ".join(dict.fromkeys(unstable)) or None,
        bands=_bands(timeline, tuple(first.latency.percentiles_us)),
        repeats=sum(one.repeats for one in rounds),
        server=summed(servers) if servers else None,
        interrupted=any(one.interrupted for one in rounds),
    )


def _latency(parts: Sequence[Latency]) -> Latency:
    answered = [part for part in parts if part.count]
    if not answered:
        return parts[0]
    joined = latency_of(
        Counts.joined([counts_of(part) for part in answered]), tuple(parts[0].percentiles_us)
    )
    count = sum(part.count for part in answered)
    return dataclasses.replace(
        joined,
        # Exact, where the distribution knows buckets.
        count=count,
        mean_us=fsum(part.mean_us * part.count for part in answered) / count,
        min_us=min(part.min_us for part in answered),
        max_us=max(part.max_us for part in answered),
    )


def _timeline(rounds: Sequence[Measurement]) -> tuple[Slice, ...]:
    found: list[Slice] = []
    before = 0
    for one in rounds:
        found += [dataclasses.replace(s, repeat=s.repeat + before) for s in one.timeline]
        before += one.repeats
    return tuple(found)


def _bands(timeline: Sequence[Slice], percentiles: Sequence[float]) -> dict[str, Band]:
    windows: dict[int, list[Counts]] = {}
    widths = {one.seconds for one in timeline if one.start >= 0}
    for one in timeline:
        if one.start >= 0:
            if one.answered and not one.histogram:
                return {}
            windows.setdefault(one.repeat, []).append(decode_counts(one.histogram))
    if len(widths) != 1:
        return {}
    return bands(list(windows.values()), widths.pop(), percentiles)


def _usage(rounds: Sequence[Measurement]) -> Usage:
    seconds = fsum(one.seconds for one in rounds)
    servers = [one.usage.server_cpu for one in rounds]
    memory = [m for one in rounds if (m := one.usage.server_rss_bytes) is not None]
    known = [cores for cores in servers if cores is not None]
    return dataclasses.replace(
        rounds[0].usage,
        client_cpu=fsum(one.usage.client_cpu * one.seconds for one in rounds) / seconds,
        client_rss_bytes=max(one.usage.client_rss_bytes for one in rounds),
        server_cpu=fsum(known) / len(known) if known else None,
        server_rss_bytes=max(memory, default=None),
    )
