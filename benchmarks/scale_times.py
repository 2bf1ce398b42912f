"""What was measured and is in results/, as far as the simulation of a day stands on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["Times", "measured"]

_CORES = 2
"""Of the machine that all of them were measured on."""


@dataclass(frozen=True)
class Times:
    """
    Seconds of a core for each request, and what a caller waits for besides.

    Args:
        accurate: A text by all-MiniLM-L6-v2 in fp32, batched, the server saturated.
        hard: A long text by it.
        fast: A text by it in int8.
        student: A text by a student of two layers in int8.
        gateway: A request that layers and the pool carry to Triton.
        hit: A request that memory answers.
        shared_hit: One that Redis answers.
        hit_waits: What a caller waits for an answer from memory, half of the time.
        redis: Requests a second that one Redis answers.
        entry: Bytes of an answer that is kept.
        whole: Whether gateway, hit and shared_hit were measured at a gateway, rather than added
            up from what its parts take.
    """

    accurate: float
    hard: float
    fast: float
    student: float
    gateway: float
    hit: float
    shared_hit: float
    hit_waits: float
    redis: float
    entry: int
    whole: bool = False

    def __post_init__(self) -> None:
        assert 0 < self.student < self.fast < self.accurate < self.hard
        assert 0 < self.hit < self.shared_hit < self.gateway


def measured(results: Path) -> Times:
    """Those of the files in *results*."""

    def read(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((results / f"{name}.json").read_text())
        return found

    windows, zipf, tiers, paths = read("windows"), read("zipf"), read("tiers"), read("paths")
    accurate = _CORES / windows["subjects"]["minilm"]["best"]["inferences_per_second"]
    faster = tiers["models"]["student"]["times_faster_16"]
    hits = {(each["rows"], each["driver"]): median(each["us"]) for each in read("cache")["hits"]}
    # What they do is the same for all models; the caller of this one waited 0.2 ms for Triton.
    layers = median(read("layers")["call_us"]["Triton"]["all"])
    scraped = median(read("telemetry")["added_us"]["hit of 1 row, at once"].values())
    # A gateway reads a request and writes an answer, as the generator does the other way round.
    http = 2 * median(read("load")["closed"][0]["cpu_us"]["sockets"])
    costs = {
        "gateway": (layers + http) / 1e6,
        "hit": (hits[1, "memory"] + scraped + http) / 1e6,
        "shared_hit": (hits[1, "redis"] + scraped + http) / 1e6,
    }
    whole = (results / "gateway.json").exists()
    if whole:
        # Of one worker, which takes a core at most.
        rates = read("gateway")["found"]["64"]
        for name, way in (("gateway", "all layers"), ("hit", "memory"), ("shared_hit", "redis")):
            costs[name] = 1 / median(each["rate"] for each in rates[way])
    return Times(
        accurate=accurate,
        hard=accurate * _hard(paths),
        fast=_CORES / zipf["without"]["requests_per_second"],
        student=accurate / faster,
        **costs,
        hit_waits=paths["with tiers"]["paths"]["memory"]["p50_ms"] / 1e3,
        redis=median(read("split")["events_per_s"]["Redis: outcomes"]),
        entry=read("eviction")["entry_bytes"],
        whole=whole,
    )


def _hard(paths: dict[str, Any]) -> float:
    """How many times as long a hard text takes the accurate model, by its busy time."""
    rate, seconds, shares = paths["rate"], paths["seconds"], paths["shares"]
    requests = rate * seconds
    hard = paths["with tiers"]["model_seconds"]["heavy"] / (
        requests * paths["with tiers"]["paths"]["heavy"]["share"]
    )
    every = paths["without"]["model_seconds"]["heavy"]
    others = (every - hard * requests * shares["hard"]) / (requests * (1 - shares["hard"]))
    return float(hard / others)
