"""What one worker tells the others of itself: the state of its layers and servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, cast
from urllib.parse import urlsplit, urlunsplit

from tritonkit.client.layers.telemetry.snapshot import Snapshot
from tritonkit.client.readings import Reading
from tritonkit.gateway.live.document import (
    Breaker,
    Budget,
    Endpoint,
    Experiment,
    Limit,
    Recent,
    Store,
)

__all__ = [
    "STATES",
    "WorkerReading",
    "alarms_of",
    "breakers_of",
    "endpoints_of",
    "experiments_of",
    "limits_of",
    "whole",
    "without_user",
]

STATES = ("closed", "half-open", "open")
"""The best first."""


class WorkerReading(TypedDict):
    """
    All that a worker tells, in JSON's terms.

    Args:
        worker: Its number.
        started: When its gateway part began, in seconds since 1970.
        in_flight: Calls that wait for their answers.
        shared: By the index of a quota, whether its ledger is one for all workers.
        experiments: By name, with requests by arm, and the verdict where it looked.
    """

    worker: int
    started: float
    in_flight: int
    breakers: list[Breaker]
    limits: list[Limit]
    budgets: list[Budget]
    shared: list[bool]
    endpoints: list[Endpoint]
    stores: list[Store]
    experiments: list[Experiment]
    recent: list[Recent]


def whole(documents: Iterable[Mapping[str, Any]]) -> list[WorkerReading]:
    """Those that have all that is told; a worker of another version may tell something else."""
    return [cast(WorkerReading, each) for each in documents if each.keys() >= _PARTS]


def breakers_of(readings: Iterable[Reading]) -> list[Breaker]:
    """The worst circuit of each model, in each way that has breakers of its own."""
    worst: dict[tuple[str, str], str] = {}
    for reading in readings:
        if reading.name != "breaker_circuits" or not reading.value:
            continue
        key, state = (reading.labels["model"], _way(reading.labels)), reading.labels["state"]
        worst[key] = max(worst.get(key, state), state, key=STATES.index)
    return [
        {"model": model, "endpoint": way, "state": state}
        for (model, way), state in sorted(worst.items())
    ]


def limits_of(readings: Iterable[Reading]) -> list[Limit]:
    """What each model may have in flight, and has; of all ways together."""
    found: dict[str, Counter[str]] = {}
    for reading in readings:
        if reading.name.startswith("limit_"):
            counts = found.setdefault(reading.labels["model"], Counter())
            # A Counter adds floats as well as the whole numbers that its type names.
            counts[reading.name.removeprefix("limit_")] += reading.value  # type: ignore[assignment]
    return [
        {
            "model": model,
            "allowed": float(counts["allowed"]),
            "in_flight": int(counts["in_flight"]),
            "waiting": int(counts["waiting"]),
            "shed": int(counts["shed"]),
        }
        for model, counts in sorted(found.items())
        if model
    ]


def endpoints_of(readings: Iterable[Reading]) -> list[Endpoint]:
    """The servers, each once, without credentials."""
    found: dict[str, Counter[str]] = {}
    parts: Counter[str] = Counter()
    for reading in readings:
        if reading.name.startswith("endpoint_"):
            name = without_user(reading.labels["endpoint"])
            kind = reading.name.removeprefix("endpoint_")
            parts[name] += kind == "up"
            found.setdefault(name, Counter())[kind] += int(reading.value)
    return [
        {
            "endpoint": name,
            # A server may stand on several ways: it is up where all of them use it.
            "up": counts["up"] >= parts[name],
            "in_flight": counts["in_flight"],
            "requests": counts["requests"],
            "failures": counts["failures"],
        }
        for name, counts in sorted(found.items())
    ]


def experiments_of(
    splits: Mapping[str, Iterable[str]],
    arms: Mapping[tuple[str, str], int],
    verdicts: Mapping[str, str],
) -> list[Experiment]:
    """
    The experiments, with what this worker saw of them.

    Args:
        splits: Arms by experiment, as the policy has them.
        arms: Requests by experiment and arm.
        verdicts: By experiment.
    """
    found = {name: dict.fromkeys(names, 0) for name, names in splits.items()}
    for (name, arm), requests in arms.items():
        found.setdefault(name, {})[arm] = requests
    return [
        {
            "name": name,
            # Shares are those of all workers.
            "arms": [{"arm": arm, "requests": n, "share": 0.0} for arm, n in counts.items()],
            "verdict": verdicts.get(name, ""),
        }
        for name, counts in sorted(found.items())
    ]


def alarms_of(snapshot: Snapshot) -> dict[tuple[str, str], int]:
    """Alarms since the start by their kind and what they say."""
    found: Counter[tuple[str, str]] = Counter()
    for scope, count in snapshot.spikes.items():
        found["tokens", f"a spike of tokens, {_SPIKES.get(scope, scope)}"] += count
    for reading in snapshot.readings:
        event = reading.labels.get("event", "")
        if reading.name == "drift_events" and event in _DRIFTS:
            found["drift", _DRIFTS[event]] += int(reading.value)
    return dict(found)


_SPIKES: Mapping[str, str] = {"global": "of all callers together", "user": "of one user"}
_DRIFTS: Mapping[str, str] = {
    "ticket": "a feature has drifted (ticket)",
    "page": "what was expected of a feature does not hold (page)",
}


_PARTS = frozenset(WorkerReading.__annotations__)


def without_user(url: str) -> str:
    """A URL without the user and the password in it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)) if "@" in parts.netloc else url


def _way(labels: Mapping[str, str]) -> str:
    return " ".join(labels[kind] for kind in ("tier", "arm") if kind in labels)
