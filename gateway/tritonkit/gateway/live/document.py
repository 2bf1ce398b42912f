"""What the live page shows: the shapes of its documents, as they travel in JSON."""

from __future__ import annotations

import json
from typing import Any, TypedDict

__all__ = [
    "Alert",
    "Arm",
    "Breaker",
    "Budget",
    "Compared",
    "Comparison",
    "Controls",
    "Cost",
    "Degraded",
    "Endpoint",
    "Experiment",
    "FaultControl",
    "History",
    "Keeping",
    "LayerControl",
    "Limit",
    "Point",
    "Recent",
    "Requests",
    "Rows",
    "State",
    "Store",
    "TextModels",
    "Tier",
    "TierPoint",
    "to_json",
]


class Requests(TypedDict):
    """
    Requests of all workers together.

    total and errors count since the history began; the rates are those of the window.
    An error is an answer with a status of 400 or more; those under 500, which are the caller's
    matter, are the refused among them.
    """

    total: int
    errors: int
    per_second: float
    errors_per_second: float
    refused_per_second: float
    in_flight: int


class Rows(TypedDict):
    """Rows of the window by where they came from; hit_share is None without any."""

    per_second: float
    hit_share: float | None
    by_origin: dict[str, int]


class Tier(TypedDict):
    """Seconds that answers took, by what answered; errors are left out. "" is all of them."""

    tier: str
    requests: int
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


class Cost(TypedDict):
    """
    Millionths: of the window a second, since the history began, and for each answer of the
    window.
    """

    per_second: float
    total: int
    per_success: float | None


class Degraded(TypedDict):
    """Answers of the window that are less than what was asked for."""

    model: str
    reason: str
    count: int


class Breaker(TypedDict):
    """The worst state of a circuit in any worker: "closed", "half-open" or "open"."""

    model: str
    endpoint: str
    state: str


class Limit(TypedDict):
    """Added up over the workers; shed counts since the start."""

    model: str
    allowed: float
    in_flight: int
    waiting: int
    shed: int


class Budget(TypedDict):
    """
    A quota, in its unit: calls, rows, or millionths where *unit* is empty.

    spent and left are None where it counts *apart* for each user, tenant or model, and where it
    cannot be read. window is in seconds. denied counts what its layer refused since the start, for
    whichever of its quotas.
    """

    quota: str
    unit: str
    limit: int
    spent: int | None
    left: int | None
    window: float
    denied: int
    apart: bool


class Endpoint(TypedDict):
    """A server without credentials; up where every worker uses it."""

    endpoint: str
    up: bool
    in_flight: int
    requests: int
    failures: int


class Store(TypedDict):
    """A store of caches in another process, as Redis; up where every worker has answers of it."""

    store: str
    up: bool


class Arm(TypedDict):
    """Requests since the start, and the share of the experiment's."""

    arm: str
    requests: int
    share: float


class Experiment(TypedDict):
    """verdict is empty where the policy keeps no experiments, or nobody looked yet."""

    name: str
    arms: list[Arm]
    verdict: str


class Alert(TypedDict):
    """kind: "drift", "tokens", "breaker", "endpoint", "store", "fault", "worker" or "history"."""

    at: float
    kind: str
    text: str


class Recent(TypedDict):
    """A request that went through, without anything of what it said."""

    at: float
    seconds: float
    route: str
    model: str
    version: str
    tenant: str
    id: str
    rows: int
    status: int
    error: str
    origins: dict[str, int]
    tier: str
    arms: list[list[str]]
    attempts: int
    cost: int
    degraded: str
    worker: int


class LayerControl(TypedDict):
    """A layer of the policy: on for everybody, or off."""

    name: str
    label: str
    on: bool


class FaultControl(TypedDict):
    """
    A fault on purpose.

    kind is "slow" (value: seconds), "fail" (value: share of requests, 0 to 1), "down" or
    "redis" (no value: None); where a traffic generator is steered also "rate" (value: requests
    a second), "skew" (value: an exponent) and "burst" (no value). until is when it ends by
    itself, None where it is off.
    """

    name: str
    label: str
    kind: str
    value: float | None
    on: bool
    until: float | None


class Controls(TypedDict):
    """What the page may change; allowed is False where faults are not."""

    layers: list[LayerControl]
    faults: list[FaultControl]
    allowed: bool


class Keeping(TypedDict):
    """Whether the history is kept in a file; why says what is wrong where it is not."""

    kept: bool
    why: str


class State(TypedDict):
    """
    What the page shows now. Times are in seconds since 1970, costs in millionths.

    seconds is the length of the window: a minute, or less where the gateway began since.
    """

    at: float
    seconds: float
    workers: int
    uptime: float
    requests: Requests
    rows: Rows
    overall: Tier | None
    latency: list[Tier]
    cost: Cost
    degraded: list[Degraded]
    breakers: list[Breaker]
    limits: list[Limit]
    budgets: list[Budget]
    endpoints: list[Endpoint]
    stores: list[Store]
    experiments: list[Experiment]
    alerts: list[Alert]
    recent: list[Recent]
    controls: Controls
    history: Keeping


class TierPoint(TypedDict):
    """Latencies of one tier in one step."""

    p50: float
    p95: float
    p99: float
    requests: int


class Point(TypedDict):
    """
    One step of the history; at is its start. None where there is nothing to tell.

    by_origin has the rows of the whole step.
    """

    at: float
    requests_per_second: float
    errors_per_second: float
    hit_share: float | None
    by_origin: dict[str, int]
    cost_per_second: float
    cost_per_success: float | None
    in_flight: float
    tiers: dict[str, TierPoint]


class History(TypedDict):
    """Points in order; step is in seconds. Steps of which nothing is kept are left out."""

    step: float
    points: list[Point]


class TextModels(TypedDict):
    """Models that the tester can ask, and the layers that one request may go without."""

    models: list[str]
    layers: list[LayerControl]


class Compared(TypedDict):
    """One side of a comparison; cache is where its row came from."""

    tier: str
    cache: str
    seconds: float
    cost: int
    degraded: str
    attempts: int


class Comparison(TypedDict):
    """Two texts by one model: the cosine of their embeddings, and what each took."""

    similarity: float
    a: Compared
    b: Compared


def to_json(document: Any) -> bytes:
    """
    *document* as it goes to a browser: strict JSON, without spaces.

    Raises:
        ValueError: If it holds a NaN or an infinity, which JSON has not.
    """
    return json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
