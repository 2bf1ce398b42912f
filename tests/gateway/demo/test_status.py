"""Lines, keys and faults."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tritonkit.gateway.demo.keys import steered
from tritonkit.gateway.demo.status import Figures, Switch, asked_for, line, next_faults
from tritonkit.gateway.demo.traffic import Flow

FIGURES = Figures(seconds=2.0, answered=60, refused=0, dropped=0, waited=[0.01] * 58 + [0.5, 0.6])


def state(**changes: Any) -> dict[str, Any]:
    """A document of the live page, a quiet one."""
    document: dict[str, Any] = {
        "seconds": 60.0,
        "rows": {"hit_share": 0.75},
        "cost": {"per_second": 5_000.0},
        "degraded": [],
        "controls": {"faults": []},
    }
    return {**document, **changes}


def test_a_line_tells_what_was_asked_and_answered() -> None:
    """Requests a second, p95, hits and cost; and what the traffic is like."""
    told = line(FIGURES, Flow(rate=30), bursting=False, state=state())

    assert told == (
        " 30.0 requests/s   p95   10 ms   hits  75%   cost  0.30/min   (asked for 30/s, skew 1)"
    )


def test_a_line_tells_what_goes_wrong() -> None:
    """Degraded answers, faults, refusals, and what was not sent."""
    wrong = state(
        degraded=[{"count": 3}, {"count": 4}],
        controls={
            "faults": [
                {"label": "minilm fails", "kind": "fail", "on": True},
                {"label": "x", "kind": "slow", "on": False},
                {"label": "traffic", "kind": "rate", "on": True},
            ]
        },
    )
    figures = Figures(seconds=1.0, answered=0, refused=2, dropped=5, waited=[])
    told = line(figures, Flow(shifted=True), bursting=True, state=wrong)

    assert "7 degraded in 60 s   fault: minilm fails   2 refused   5 not sent" in told
    assert "5 times that in a burst, about other things" in told
    assert "p95      -" in told


def test_a_line_needs_no_page() -> None:
    """What the traffic saw itself is told without it, and a page without requests is read."""
    assert "hits" not in line(FIGURES, Flow(), bursting=False, state=None)
    empty = state(rows={"hit_share": None})
    assert "hits    -" in line(FIGURES, Flow(), bursting=False, state=empty)


def test_a_line_reads_the_live_pages_own_document() -> None:
    """The example that page and gateway are tested with."""
    example = Path(__file__).parents[1] / "live" / "example.json"
    told = line(FIGURES, Flow(), bursting=False, state=json.loads(example.read_text()))

    assert "hits  71%" in told
    assert "fault: accurate answers later" in told


def test_keys_go_up_and_down_and_stay_within() -> None:
    """Each key by one step; beyond the last nothing changes; others mean nothing."""
    flow = Flow(rate=30.0, skew=1.0)

    assert steered(flow, "+").rate == 50.0
    assert steered(flow, "-").rate == 20.0
    assert steered(flow, ">").skew == 1.2
    assert steered(flow, "<").skew == 0.8
    assert steered(steered(flow, "d"), "d") == flow
    assert steered(flow, "x") is flow
    for key in "+-<>":
        last = flow
        for _ in range(50):
            last = steered(last, key)
        assert steered(last, key) == last


def test_the_page_has_its_way_while_it_says_so() -> None:
    """What is on at the page holds before the keys' own, and no longer."""
    rate = {"name": "traffic.rate", "kind": "rate", "value": 70.0, "on": True}
    skew = {"name": "traffic.skew", "kind": "skew", "value": 0.0, "on": True}
    slow = {"name": "slow", "kind": "slow", "value": 0.5, "on": True}
    flow = Flow(rate=30.0, skew=1.0, shifted=True)

    assert asked_for(flow, [rate, skew, slow]) == replace(flow, rate=70.0, skew=0.0)
    assert asked_for(flow, [{**rate, "on": False}, slow]) == flow


@pytest.mark.parametrize(
    ("on", "switched"),
    [
        ((), [Switch("slow", True, 0.5)]),
        (("slow",), [Switch("slow", False), Switch("redis", True)]),
        (("redis",), [Switch("redis", False)]),
        (("slow", "redis"), [Switch("slow", False), Switch("redis", False)]),
    ],
)
def test_faults_come_one_after_the_other(on: tuple[str, ...], switched: list[Switch]) -> None:
    """One at a time, each with the value that it has, and none after the last."""
    faults = [
        {"name": "traffic.rate", "kind": "rate", "value": 20.0, "on": True},
        {"name": "slow", "kind": "slow", "value": 0.5, "on": "slow" in on},
        {"name": "redis", "kind": "redis", "value": None, "on": "redis" in on},
    ]

    assert next_faults(faults) == switched
    assert next_faults([]) == []
    assert Switch("redis", False).document() == {"name": "redis", "on": False}
