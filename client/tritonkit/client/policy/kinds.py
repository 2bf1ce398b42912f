"""
All that a policy file can name: a row for each class.

A new layer, store or strategy is one row. Its options are those of its
constructor, so there is nothing else to keep in step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tritonkit.client.jobs.board import Board
from tritonkit.client.policy.kind import Case, Kind
from tritonkit.client.route import Route
from tritonkit.client.stack import Layer, Transport
from tritonkit.client.stores.store import Store

__all__ = ["FAMILIES"]

_LAYERS = {
    "cache": Kind(
        "tritonkit.client.layers.cache.cache:Cache",
        (
            Case("hit", "rows that a store has are answered until they are {ttl} old", "ttl"),
            Case("hit", "rows that a store has are answered, however old", "!ttl"),
            Case("miss", "only rows that no store has go on, each of them once; answers are kept"),
            Case(
                "stale",
                "for {stale} longer it is served at once, and computed anew in the background",
                "stale",
            ),
            Case("stale", "it is computed anew while the caller waits", "!stale"),
            Case(
                "server down",
                "what is kept and up to {stale_if_error} too old stands in",
                "stale_if_error",
            ),
            Case("server down", "what is kept and fresh is answered all the same"),
            Case("at once", "a row that is being computed is waited for, not computed again"),
        ),
    ),
    "coalesce": Kind(
        "tritonkit.client.layers.coalesce.coalesce:Coalesce",
        (
            Case("at once", "calls that differ only in their rows travel as one request"),
            Case("invalid input", "of calls that travelled together only the wrong one fails"),
        ),
    ),
    "deadline": Kind(
        "tritonkit.client.layers.deadline.deadline:Deadline",
        (Case("too slow", "whatever is not answered after {timeout} fails with DeadlineExceeded"),),
    ),
    "limit": Kind(
        "tritonkit.client.layers.limit.limit:Limit",
        (
            Case("overload", "{fixed} requests are in flight to a model at most", "fixed"),
            Case(
                "overload",
                "of each model no more are in flight than its latencies allow, {maximum} at most",
                "!fixed",
            ),
            Case(
                "overload",
                "{queue} more wait; beyond that the newest of the lowest priority fails "
                "with LimitExceeded",
            ),
        ),
    ),
    "hedge": Kind(
        "tritonkit.client.layers.hedge.hedge:Hedge",
        (
            Case(
                "too slow",
                "what takes longer than {percentile} of 100 answers is sent a second time, for "
                "{budget} of the requests at most; the first answer wins",
            ),
        ),
    ),
    "retry": Kind(
        "tritonkit.client.layers.retry.retry:Retry",
        (
            Case(
                "server down",
                "the request is sent again, {attempts} times in all, while no more than "
                "{budget} of the requests are such retries",
            ),
            Case("too slow", "nothing is sent again that its deadline leaves no time for"),
        ),
    ),
    "breaker": Kind(
        "tritonkit.client.layers.breaker.breaker:Breaker",
        (
            Case(
                "keeps failing",
                "where {failure_rate} of the calls to a model in {window} fail, and it was called "
                "{min_calls} times, requests fail at once with CircuitOpen; it is probed after "
                "{open_for}, later up to {max_open_for}",
            ),
            Case("too slow", "calls that take {slow} count as failing", "slow"),
        ),
    ),
}

_STORES = {
    "memory": Kind(
        "tritonkit.client.stores.memory:Memory",
        (Case("hit", "memory of this process answers in the caller's own thread"),),
    ),
    "redis": Kind(
        "tritonkit.client.stores.redis.redis:Redis",
        (
            Case("hit", "Redis is asked once for all rows that are not found before it"),
            Case("miss", "a request waits {budget} for Redis at most, and goes on without it"),
        ),
    ),
}

_WAITING = (
    Case("server down", "the request fails with ServerUnavailable"),
    Case("too slow", "the request is given up and fails with DeadlineExceeded"),
    Case("invalid input", "the request fails with InvalidInput, mostly unsent"),
)

_TRANSPORTS = {
    "http": Kind("tritonkit.client.transports.http:HttpTransport", _WAITING),
    "grpc": Kind("tritonkit.client.transports.grpc:GrpcTransport", _WAITING),
}

_BOARDS = {
    "redis": Kind("tritonkit.client.jobs.redis:Jobs"),
    "local": Kind("tritonkit.client.jobs.local:LocalJobs"),
}

FAMILIES: Mapping[Any, Mapping[str, Kind]] = {
    Layer: _LAYERS,
    Store: _STORES,
    Transport: _TRANSPORTS,
    Board: _BOARDS,
    Route: {"route": Kind("tritonkit.client.route:Route")},
}
"""
By the type that a constructor asks for: what `type` may be.

Where there is only one, `type` may be left out.
"""
