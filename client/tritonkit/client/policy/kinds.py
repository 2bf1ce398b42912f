"""
All that a policy file can name: a row for each class.

A new layer, store or strategy is one row. Its options are those of its
constructor, so there is nothing else to keep in step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tritonkit.client.experiments.guard import Guard
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.jobs.board import Board
from tritonkit.client.jobs.pace import Pace
from tritonkit.client.layers.budget.cost import Price, Pricing
from tritonkit.client.layers.budget.limits import Quota
from tritonkit.client.layers.shadow.comparator import Comparator
from tritonkit.client.layers.split.arm import Arm
from tritonkit.client.layers.split.sticky import Sticky
from tritonkit.client.layers.split.thompson import Thompson
from tritonkit.client.layers.telemetry.tokens import Tokens
from tritonkit.client.layers.tiers.by_cost import Rule
from tritonkit.client.layers.tiers.last_resort import LastResort
from tritonkit.client.layers.tiers.strategy import Strategy
from tritonkit.client.ledgers.ledger import Ledger
from tritonkit.client.policy.kind import Case, Kind
from tritonkit.client.route import Route
from tritonkit.client.stack import Layer, Transport
from tritonkit.client.stores.store import Store

__all__ = ["FAMILIES"]

_LAYERS = {
    "telemetry": Kind(
        "tritonkit.client.layers.telemetry.telemetry:Telemetry",
        (
            Case("always", "the call is counted and measured, by model, tier, arm and cache state"),
            Case("always", "it becomes a span, and Triton's own spans join it", "spans"),
            Case("always", "tokens are counted; sudden spikes of them raise an alarm", "tokens"),
        ),
    ),
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
    "tiers": Kind(
        "tritonkit.client.layers.tiers.tiers:Tiers",
        (
            Case("choice", "the first route answers, the others stand by", "!strategy"),
            Case("budget spent", "a route whose budget is spent counts as one that fails"),
            Case("server down", "where a route fails, the next one is asked", "!strategy"),
            Case("server down", "where every route fails, so does the request", "!last"),
            Case("keeps failing", "a route with an open circuit fails at once, without waiting"),
        ),
    ),
    "split": Kind(
        "tritonkit.client.layers.split.split:Split",
        (
            Case(
                "choice",
                "each {by} always gets the same arm of experiment {experiment}; its exposure is "
                "recorded before its first answer",
                "!allocate",
            ),
            Case(
                "choice",
                "each {by} gets an arm of the bandit {experiment}, by weights that follow what the "
                "arms earn; the propensity is recorded with every answer",
                "allocate",
            ),
            Case(
                "choice",
                "the first arm answers whoever takes no part: without {by}, beyond a share of "
                "{share}, or once the experiment is stopped",
            ),
            Case(
                "choice",
                "where an arm harms a metric more than its guard tolerates, the experiment is "
                "stopped; looked at every {guard_interval}",
                "guards",
            ),
            Case("server down", "the failure counts as the arm's; no other arm is asked"),
        ),
    ),
    "drift": Kind(
        "tritonkit.client.layers.drift.drift:Drift",
        (
            Case(
                "drift",
                "{share} of the rows are compared with profiles beside the path; where their "
                "distribution has changed, a ticket is logged",
            ),
            Case(
                "drift", "where accuracy seems to have fallen by {drop} or more, a page is logged"
            ),
            Case("drift", "a better model is asked for these rows too, for comparison", "heavy"),
            Case(
                "drift",
                "what the shadow {shadow} answers is compared as a better model's",
                "shadow",
            ),
            Case("drift", "alerts are posted to a webhook", "webhook"),
        ),
    ),
    "shadow": Kind(
        "tritonkit.client.layers.shadow.shadow:Shadow",
        (
            Case(
                "copied",
                "{share} of the requests go to the route as well, at the same time; nobody waits "
                "for that",
                "paired",
            ),
            Case(
                "copied",
                "{share} of the requests go to the route as well, after their answer; nobody "
                "waits for that",
                "!paired",
            ),
            Case("copied", "the tag {by} decides which", "by"),
            Case(
                "copied",
                "it ends once the shadow is surely good enough, or not: up to "
                "{tolerate} of the rows may disagree",
                "until_decided",
            ),
            Case("overload", "beyond {queue} copies or {max_bytes} the newest is dropped"),
            Case(
                "keeps failing",
                "after {failures} failed copies in a row none is sent for {pause}",
                "failures",
            ),
            Case("too slow", "a copy that takes {timeout} is given up"),
        ),
    ),
    "limit": Kind(
        "tritonkit.client.layers.limit.limit:Limit",
        (
            Case("overload", "{fixed} requests are in flight to a model on a server", "fixed"),
            Case(
                "overload",
                "of each model no more are in flight on a server than its latencies allow, "
                "{maximum} at most",
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
            Case(
                "overload",
                "from {saturated_at} calls under way on nothing is sent a second time",
                "saturated_at",
            ),
            Case("overload", "nothing is sent a second time for which a limit has no room"),
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
    "budget": Kind(
        "tritonkit.client.layers.budget.budget:Budget",
        (
            Case("budget spent", "a request fails with BudgetExceeded, unsent", "!dry_run"),
            Case("budget spent", "it is counted and logged; the request goes on", "dry_run"),
            Case("budget spent", "beyond {soft} of a limit a warning is logged"),
            Case("budget spent", "while the ledger cannot be asked: {on_loss}"),
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

_STRATEGIES = {
    "fallback": Kind(
        "tritonkit.client.layers.tiers.fallback:Fallback",
        (
            Case("choice", "the first route answers, the others stand by"),
            Case("server down", "where a route fails, the next one is asked"),
            Case("too slow", "a route that takes longer than its timeout counts as one that fails"),
        ),
    ),
    "cascade": Kind(
        "tritonkit.client.layers.tiers.cascade:Cascade",
        (
            Case(
                "choice",
                "the last route answers; rows that score below {threshold} go to the one before it",
                "threshold",
            ),
            Case(
                "choice",
                "the last route answers; the {share} of rows it is least sure of go to the one "
                "before it",
                "share",
            ),
            Case("server down", "rows whose better route fails keep the answer they have"),
        ),
    ),
    "fast_then_accurate": Kind(
        "tritonkit.client.layers.tiers.fast_then_accurate:FastThenAccurate",
        (
            Case(
                "choice",
                "the first route has {grace}; then the others answer, and its answer goes on into "
                "a cache below",
            ),
            Case("budget spent", "a quota of {charged_to} is charged for the first route's answer"),
            Case("server down", "whichever route answers is taken"),
        ),
    ),
    "by_cost": Kind(
        "tritonkit.client.layers.tiers.by_cost:ByCost",
        (
            Case("choice", "dear rows go to the first route, simple ones to the last"),
            Case("server down", "rows whose route fails go to the others in their order"),
        ),
    ),
}

_OTHERWISE = Case("choice", "a request that its rule cannot read counts as {otherwise}")

_RULES = {
    "seed": Kind(
        "tritonkit.client.layers.tiers.seed_rule:SeedRule",
        (
            Case("choice", "texts of more than {words} words, questions and {verbs} are dear"),
            _OTHERWISE,
        ),
    ),
    "tokens": Kind(
        "tritonkit.client.layers.tiers.token_rule:TokenRule",
        (Case("choice", "rows of more than {most} tokens are dear"), _OTHERWISE),
    ),
    "length": Kind(
        "tritonkit.client.layers.tiers.length_rule:LengthRule",
        (
            Case("choice", "what has more than {most} {of} is dear"),
            _OTHERWISE,
        ),
    ),
    "learned": Kind(
        "tritonkit.client.layers.tiers.learned_rule:LearnedRule",
        (Case("choice", "rows are dear by the score of {weights}"), _OTHERWISE),
    ),
}

_LAST_RESORTS = {
    "stale": Kind(
        "tritonkit.client.layers.tiers.stale:Stale",
        (Case("server down", "where every route fails, what a cache below still has stands in"),),
    ),
    "constant": Kind(
        "tritonkit.client.layers.tiers.constant:Constant",
        (Case("server down", "where nothing else answers, the constant does"),),
    ),
}

_LEDGERS = {
    "local": Kind("tritonkit.client.ledgers.local:LocalLedger"),
    "redis": Kind("tritonkit.client.ledgers.redis:RedisLedger"),
}

_PRICINGS = {
    "costs": Kind("tritonkit.client.layers.budget.cost:Costs"),
    "measured": Kind("tritonkit.client.layers.budget.measured:Measured"),
}

_COMPARATORS = {
    "exact": Kind("tritonkit.client.layers.shadow.elements:Exact"),
    "all_close": Kind("tritonkit.client.layers.shadow.elements:AllClose"),
    "argmax": Kind("tritonkit.client.layers.shadow.classes:Argmax"),
    "top_k": Kind("tritonkit.client.layers.shadow.classes:TopK"),
    "cosine": Kind("tritonkit.client.layers.shadow.vectors:Cosine"),
    "jensen_shannon": Kind("tritonkit.client.layers.shadow.divergence:JensenShannon"),
    "kullback_leibler": Kind("tritonkit.client.layers.shadow.divergence:KullbackLeibler"),
}

_TRANSPORTS = {
    "http": Kind("tritonkit.client.transports.http:HttpTransport", _WAITING),
    "grpc": Kind("tritonkit.client.transports.grpc:GrpcTransport", _WAITING),
    "endpoints": Kind(
        "tritonkit.client.transports.endpoints.endpoints:Endpoints",
        (
            Case("at once", "each request goes to the endpoint that will be free first"),
            Case(
                "keeps failing",
                "an endpoint is left out after {failures} failures in a row, for {ejection} at "
                "first, until a probe succeeds",
            ),
            *_WAITING,
        ),
    ),
}

_BOARDS = {
    "redis": Kind("tritonkit.client.jobs.redis:Jobs"),
    "local": Kind("tritonkit.client.jobs.local:LocalJobs"),
}

_LOGS = {
    "sqlite": Kind("tritonkit.client.experiments.sqlite:SqliteLog"),
    "redis": Kind("tritonkit.client.experiments.redis:RedisLog"),
}

_STICKIES = {
    "memory": Kind(
        "tritonkit.client.layers.split.sticky:MemorySticky",
        (Case("choice", "a unit stays in its arm for as long as this process lives"),),
    ),
    "redis": Kind(
        "tritonkit.client.layers.split.sticky:RedisSticky",
        (
            Case(
                "choice",
                "a unit stays in its arm for {ttl}, whatever the weights; where Redis does not "
                "answer, the weights decide",
            ),
        ),
    ),
}

_BANDITS = {
    "thompson": Kind(
        "tritonkit.client.layers.split.thompson:Thompson",
        (
            Case(
                "choice",
                "every {every} an arm's share becomes how likely it is the best by {outcome}, "
                "{floor} at least; outcomes may take {delay}. No interval of a report holds for it",
            ),
        ),
    ),
}

FAMILIES: Mapping[Any, Mapping[str, Kind]] = {
    Layer: _LAYERS,
    Store: _STORES,
    Transport: _TRANSPORTS,
    Board: _BOARDS,
    Pace: {"pace": Kind("tritonkit.client.jobs.pace:Pace")},
    EventLog: _LOGS,
    Sticky: _STICKIES,
    Thompson: _BANDITS,
    Strategy: _STRATEGIES,
    LastResort: _LAST_RESORTS,
    Rule: _RULES,
    Ledger: _LEDGERS,
    Pricing: _PRICINGS,
    Comparator: _COMPARATORS,
    Tokens: {"tokens": Kind("tritonkit.client.layers.telemetry.tokens:Tokens")},
    Price: {"price": Kind("tritonkit.client.layers.budget.cost:Price")},
    Quota: {"quota": Kind("tritonkit.client.layers.budget.limits:Quota")},
    Route: {"route": Kind("tritonkit.client.route:Route")},
    Arm: {"arm": Kind("tritonkit.client.layers.split.arm:Arm")},
    Guard: {"guard": Kind("tritonkit.client.experiments.guard:Guard")},
}
"""
By the type that a constructor asks for: what `type` may be.

Where there is only one, `type` may be left out.
"""
