"""The metrics that are exported: a row for each."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["FAMILIES", "PREFIX", "Family"]

PREFIX = "tritonkit_"

_CALL = ("model", "tier", "arm", "cache")


class Family(NamedTuple):
    """
    A metric.

    Args:
        name: Without the prefix; that of a counter ends with "_total" when it is exported.
        kind: As Prometheus has them.
        labels: Besides "client", the telemetry's name; those of a layer in a route have "tier" or
            "arm" on top.
        help: What it is, with its unit.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str

    @property
    def exported(self) -> str:
        """Its name in queries."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


FAMILIES: tuple[Family, ...] = (
    Family("requests", "counter", _CALL, "Calls that were answered"),
    Family("rows", "counter", _CALL, "Their rows; one for an answer that is kept whole"),
    Family("attempts", "counter", _CALL, "Requests that were sent to servers for them"),
    Family("answer_cost", "counter", _CALL, "Millionths that their traces tell of"),
    Family("latency_seconds", "histogram", _CALL, "How long they took"),
    Family(
        "latency_quantile_seconds",
        "gauge",
        (*_CALL, "quantile"),
        "The same as percentiles up to 0.999, since the start, to 1 %",
    ),
    Family("row_origins", "counter", ("model", "origin"), "Rows by where they came from"),
    Family("row_tiers", "counter", ("model", "tier"), "Rows by the route that answered"),
    Family(
        "degraded", "counter", ("model", "reason"), "Answers that are less than what was asked for"
    ),
    Family("errors", "counter", ("model", "kind", "arm"), "Calls that failed, by class of error"),
    Family("in_flight", "gauge", (), "Calls that wait for their answers"),
    Family(
        "assignments",
        "counter",
        ("experiment", "kind"),
        "Requests assigned to an arm, overridden, stopped, outside or untagged",
    ),
    Family(
        "assignment_faults",
        "counter",
        ("experiment", "kind"),
        "Arms that were not remembered (unstuck), controls not understood (unfit) or not read",
    ),
    Family(
        "experiment_events",
        "counter",
        ("kind",),
        "Events of experiments: written, late, lost; failures: tries to write that failed",
    ),
    Family("shadow_copies", "counter", ("shadow", "outcome"), "Copies, by what became of them"),
    Family("drift_events", "counter", ("event",), "Rows and labels looked at or not, and alerts"),
    Family("retries", "counter", ("model",), "Attempts after the first"),
    Family("retries_denied", "counter", ("model",), "Attempts that the budget of retries forbade"),
    Family("joined_calls", "counter", ("model",), "Calls that travelled with others"),
    Family("joined_requests", "counter", ("model",), "The requests that they became"),
    Family("hedges", "counter", ("model",), "Second requests that were sent"),
    Family("hedges_won", "counter", ("model",), "Second requests that answered first"),
    Family("hedges_wasted", "counter", ("model",), "Second requests that did not"),
    Family("breaker_circuits", "gauge", ("model", "state"), "Circuits: closed, open or half-open"),
    Family("limit_allowed", "gauge", ("model",), "Requests that may be in flight"),
    Family("limit_in_flight", "gauge", ("model",), "Requests that are in flight"),
    Family("limit_waiting", "gauge", ("model",), "Requests that wait for a place"),
    Family("limit_shed", "counter", ("model",), "Requests that were turned away"),
    Family(
        "budget_events",
        "counter",
        ("event",),
        "Reservations granted, denied, lost, unaccounted, released, violated, unsettled",
    ),
    Family("budget_reserved", "counter", ("quota", "purse"), "Calls, rows or millionths reserved"),
    Family("budget_settled", "counter", ("quota", "purse"), "What the ledger was charged of it"),
    Family(
        "budget_limit",
        "gauge",
        ("quota", "window"),
        "What all together may spend in a window, in calls, rows or millionths",
    ),
    Family("cost", "counter", ("purse",), "Millionths spent, on failures and losers as well"),
    Family("cost_per_success", "gauge", (), "Millionths spent for each answer, since the start"),
    Family("store_bytes", "gauge", ("store",), "Bytes that a store of this process holds"),
    Family("store_evictions", "counter", ("store",), "Entries that made room for others"),
    Family(
        "store_events",
        "counter",
        ("store", "event"),
        "What a shared store did: hits, misses, written, dropped, corrupt, errors, timeouts",
    ),
    Family("cache_computing", "gauge", (), "Rows that are being computed for the cache"),
    Family("endpoint_up", "gauge", ("endpoint",), "1 where it is used, 0 where it is left out"),
    Family("endpoint_in_flight", "gauge", ("endpoint",), "Requests on their way to it"),
    Family("endpoint_requests", "counter", ("endpoint",), "Requests that were sent to it"),
    Family("endpoint_failures", "counter", ("endpoint",), "Those that failed by its fault"),
    Family("tokens", "counter", ("model", "direction"), "Tokens in and out"),
    Family("token_spikes", "counter", ("scope",), "Alarms, of one user or global"),
    Family("label_overflows", "counter", (), "How often a label value became 'other'"),
)
