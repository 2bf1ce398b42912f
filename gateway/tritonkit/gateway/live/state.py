"""The document of now, from what all workers told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from tritonkit.client.statistics.latency import LatencySketch
from tritonkit.gateway.live.collector import RECENT
from tritonkit.gateway.live.document import (
    Alert,
    Arm,
    Breaker,
    Budget,
    Controls,
    Degraded,
    Endpoint,
    Experiment,
    Keeping,
    Limit,
    Recent,
    State,
    Store,
    Tier,
)
from tritonkit.gateway.live.reading import STATES, WorkerReading
from tritonkit.gateway.live.sample import Sample

__all__ = ["state_of"]

_QUANTILES = (0.5, 0.9, 0.95, 0.99)
_MOST_DEGRADED = 20


def state_of(
    *,
    at: float,
    seconds: float,
    sample: Sample,
    readings: Sequence[WorkerReading],
    totals: Mapping[str, int],
    alerts: Sequence[Alert],
    controls: Controls,
    keeping: Keeping,
) -> State:
    """
    What the page shows.

    Args:
        at: Seconds since 1970.
        seconds: Of the window.
        sample: All that went through in it.
        readings: Of each worker, the one that answers first.
        totals: Requests, errors and cost since the history began.
        alerts: The newest first.
        controls: What the page may change.
        keeping: Of the history.
    """
    return {
        "at": at,
        "seconds": seconds,
        "workers": len(readings),
        "uptime": max((at - each["started"] for each in readings), default=0.0),
        "requests": {
            "total": totals["requests"],
            "errors": totals["errors"],
            "per_second": sample.requests / seconds,
            "errors_per_second": sample.errors / seconds,
            "refused_per_second": sample.refused / seconds,
            "in_flight": sum(each["in_flight"] for each in readings),
        },
        "rows": {
            "per_second": sample.rows / seconds,
            "hit_share": sample.hit_share,
            "by_origin": dict(sample.origins),
        },
        "overall": _tier("", _every(sample)),
        "latency": _latency(sample),
        "cost": {
            "per_second": sample.cost / seconds,
            "total": totals["cost"],
            "per_success": sample.cost_per_success,
        },
        "degraded": _degraded(sample),
        "breakers": _breakers(readings),
        "limits": _limits(readings),
        "budgets": _budgets(readings),
        "endpoints": _endpoints(readings),
        "stores": _stores(readings),
        "experiments": _experiments(readings),
        "alerts": list(alerts),
        "recent": _recent(readings),
        "controls": controls,
        "history": keeping,
    }


def _latency(sample: Sample) -> list[Tier]:
    found = (_tier(name, sketch) for name, sketch in sample.tiers.items())
    # The fastest first, which is the order in which they are tried.
    return sorted((one for one in found if one is not None), key=itemgetter("p50"))


def _every(sample: Sample) -> LatencySketch:
    every = LatencySketch()
    for sketch in sample.tiers.values():
        every.merge(sketch)
    return every


def _tier(name: str, sketch: LatencySketch) -> Tier | None:
    if not sketch.count:
        return None
    p50, p90, p95, p99 = sketch.quantiles(_QUANTILES)
    return {
        "tier": name,
        "requests": sketch.count,
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "max": sketch.greatest_ns / 1e9,
    }


def _degraded(sample: Sample) -> list[Degraded]:
    return [
        {"model": model, "reason": reason, "count": count}
        for (model, reason), count in sample.degraded.most_common(_MOST_DEGRADED)
    ]


def _breakers(readings: Iterable[WorkerReading]) -> list[Breaker]:
    worst: dict[tuple[str, str], str] = {}
    for each in readings:
        for one in each["breakers"]:
            key = (one["model"], one["endpoint"])
            worst[key] = max(worst.get(key, one["state"]), one["state"], key=STATES.index)
    return [
        {"model": model, "endpoint": way, "state": state}
        for (model, way), state in sorted(worst.items())
    ]


def _limits(readings: Iterable[WorkerReading]) -> list[Limit]:
    found = _added((each["limits"] for each in readings), "model")
    return [
        {
            "model": model,
            "allowed": float(counts["allowed"]),
            "in_flight": int(counts["in_flight"]),
            "waiting": int(counts["waiting"]),
            "shed": int(counts["shed"]),
        }
        for model, counts in sorted(found.items())
    ]


def _endpoints(readings: Sequence[WorkerReading]) -> list[Endpoint]:
    found = _added((each["endpoints"] for each in readings), "endpoint")
    asked = Counter(one["endpoint"] for each in readings for one in each["endpoints"])
    return [
        {
            "endpoint": name,
            "up": counts["up"] == asked[name],
            "in_flight": int(counts["in_flight"]),
            "requests": int(counts["requests"]),
            "failures": int(counts["failures"]),
        }
        for name, counts in found.items()
    ]


def _stores(readings: Iterable[WorkerReading]) -> list[Store]:
    up: dict[str, bool] = {}
    for each in readings:
        for one in each["stores"]:
            up[one["store"]] = up.get(one["store"], True) and one["up"]
    return [{"store": name, "up": answers} for name, answers in sorted(up.items())]


def _budgets(readings: Sequence[WorkerReading]) -> list[Budget]:
    """
    Of each quota what all workers know of it.

    Where they share a ledger any of them knows all; else each has a limit of its own, and
    together they may spend as much.
    """
    if not readings:
        return []
    found: list[Budget] = []
    for number, budget in enumerate(readings[0]["budgets"]):
        others = [
            each["budgets"][number]
            for each in readings
            # A worker of another policy, as in a reload, is not counted in.
            if number < len(each["budgets"]) and each["budgets"][number]["quota"] == budget["quota"]
        ]
        total: Budget = {**budget, "denied": sum(one["denied"] for one in others)}
        spent = [one["spent"] for one in others if one["spent"] is not None]
        if not readings[0]["shared"][number]:
            total["limit"] = sum(one["limit"] for one in others)
            total["spent"] = sum(spent) if len(spent) == len(others) else None
        elif spent:
            total["spent"] = max(spent)
        if total["spent"] is not None:
            total["left"] = max(0, total["limit"] - total["spent"])
        found.append(total)
    return found


def _experiments(readings: Iterable[WorkerReading]) -> list[Experiment]:
    arms: dict[str, Counter[str]] = {}
    verdicts: dict[str, str] = {}
    for each in readings:
        for one in each["experiments"]:
            counts = arms.setdefault(one["name"], Counter())
            counts.update({arm["arm"]: arm["requests"] for arm in one["arms"]})
            # The first is that of the worker that answers.
            verdicts[one["name"]] = verdicts.get(one["name"]) or one["verdict"]
    return [
        {"name": name, "arms": _arms(counts), "verdict": verdicts[name]}
        for name, counts in sorted(arms.items())
    ]


def _arms(counts: Counter[str]) -> list[Arm]:
    total = counts.total()
    return [
        {"arm": arm, "requests": requests, "share": requests / total if total else 0.0}
        for arm, requests in sorted(counts.items())
    ]


def _recent(readings: Iterable[WorkerReading]) -> list[Recent]:
    every = (one for each in readings for one in each["recent"])
    return sorted(every, key=itemgetter("at"), reverse=True)[:RECENT]


def _added(lists: Iterable[Sequence[Any]], key: str) -> dict[str, Counter[str]]:
    """The numbers of dictionaries with the same name, added up, in the order of the first."""
    found: dict[str, Counter[str]] = {}
    for each in lists:
        for one in each:
            counts = found.setdefault(one[key], Counter())
            counts.update({name: value for name, value in one.items() if name != key})
    return found
