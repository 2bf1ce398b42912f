"""How it goes, in one line; what the page asks for; and which fault comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from tritonkit.gateway.demo.traffic import Flow

__all__ = ["Figures", "Switch", "asked_for", "line", "next_faults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """
    What the traffic saw since the last line.

    Args:
        seconds: How long that was.
        answered: Requests with a status of 200.
        refused: Those with another status, or with none.
        dropped: Those that were not sent, since too many were in flight.
        waited: Seconds of those that were answered.
    """

    seconds: float
    answered: int
    refused: int
    dropped: int
    waited: Sequence[float]

    @property
    def p95(self) -> float | None:
        """Within which 95 % were answered; None where none was."""
        if not self.waited:
            return None
        return sorted(self.waited)[ceil(0.95 * len(self.waited)) - 1]


def line(figures: Figures, flow: Flow, *, bursting: bool, state: Mapping[str, Any] | None) -> str:
    """
    One line for people.

    Args:
        figures: Of the traffic.
        flow: What it is like.
        bursting: Whether a burst lasts.
        state: What the live page shows; None where it did not answer.
    """
    p95 = figures.p95
    parts = [
        f"{figures.answered / figures.seconds:5.1f} requests/s",
        "p95      -" if p95 is None else f"p95 {1000 * p95:4.0f} ms",
    ]
    if state is not None:
        share = state["rows"]["hit_share"]
        parts += [
            "hits    -" if share is None else f"hits {share:4.0%}",
            f"cost {60 * state['cost']['per_second'] / 1e6:5.2f}/min",
        ]
        degraded = sum(one["count"] for one in state["degraded"])
        parts += [f"{degraded} degraded in {state['seconds']:.0f} s"] if degraded else []
        faults = [one["label"] for one in breaking(state["controls"]["faults"]) if one["on"]]
        parts += [f"fault: {', '.join(faults)}"] if faults else []
    parts += [f"{figures.refused} refused"] if figures.refused else []
    parts += [f"{figures.dropped} not sent"] if figures.dropped else []
    asked = f"asked for {flow.rate:g}/s, skew {flow.skew:g}"
    if bursting:
        asked += f", {flow.burst:g} times that in a burst"
    if flow.shifted:
        asked += ", about other things"
    return "   ".join([*parts, f"({asked})"])


def breaking(faults: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Controls of the live page that break something, and steer no traffic."""
    return [fault for fault in faults if fault["kind"] not in ("rate", "skew", "burst")]


@dataclass(frozen=True, slots=True)
class Switch:
    """A fault, to be switched on or off; its value stays as it is where it is None."""

    name: str
    on: bool
    value: float | None = None

    def document(self) -> dict[str, Any]:
        """As the gateway takes it."""
        value = {} if self.value is None else {"value": self.value}
        return {"name": self.name, "on": self.on, **value}


def asked_for(flow: Flow, faults: Sequence[Mapping[str, Any]]) -> Flow:
    """
    What the traffic is to be like.

    Args:
        flow: As keys and options have it.
        faults: Controls of the live page, of which those of the traffic count where they are on.
    """
    values = {fault["kind"]: fault["value"] for fault in faults if fault["on"]}
    return replace(flow, rate=values.get("rate", flow.rate), skew=values.get("skew", flow.skew))


def next_faults(faults: Sequence[Mapping[str, Any]]) -> list[Switch]:
    """
    What the key does: the fault after the one that is on, one at a time; after the last, none.

    Args:
        faults: Controls of the live page.
    """
    faults = breaking(faults)
    on = [place for place, fault in enumerate(faults) if fault["on"]]
    off = [Switch(faults[place]["name"], False) for place in on]
    following = max(on) + 1 if on else 0
    if following >= len(faults):
        return off
    return [*off, Switch(faults[following]["name"], True, faults[following]["value"])]
