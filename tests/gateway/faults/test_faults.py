from __future__ import annotations

import math

import pytest

from tritonkit.errors import ConfigError
from tritonkit.gateway.faults.fault import Fault, check_value
from tritonkit.gateway.faults.faults import NONE, Effect, Faults
from tritonkit.gateway.faults.rig import Rig
from tritonkit.gateway.live.setting import Setting

WALL = 1_770_000_000.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def faults(clock):
    return Faults(
        [
            Fault(name="slow", label="", kind="slow"),
            Fault(name="slow:big", label="", kind="slow", model="big"),
            Fault(name="fail:big", label="", kind="fail", model="big"),
            Fault(name="down:a", label="", kind="down", endpoint="a"),
            Fault(name="redis", label="", kind="redis"),
        ],
        clock=clock,
    )


def never() -> float:
    raise AssertionError("nothing is left to chance here")


def on(name: str, value: float | None = None, left: float = 300.0) -> Setting:
    return Setting(name=name, on=True, value=value, until=WALL + left)


def test_without_faults_nothing_is_met(faults):
    """The hot path is one look."""
    assert faults.effect("big", "a", never) is NONE
    assert not faults.redis_out


def test_delays_add_up(faults):
    """Of every model, and of one."""
    faults.apply([on("slow", 0.1), on("slow:big", 0.5)], WALL)

    assert faults.effect("big", "a", never) == Effect(0.6, "")
    assert faults.effect("small", "a", never) == Effect(0.1, "")


def test_a_share_fails(faults):
    """A share of 0 fails nothing, one of 1 everything."""
    faults.apply([on("fail:big", 0.25)], WALL)
    assert faults.effect("big", "a", lambda: 0.24).end == "fail"
    assert faults.effect("big", "a", lambda: 0.25).end == ""
    assert faults.effect("small", "a", never) == NONE

    faults.apply([on("fail:big", 0.0)], WALL)
    assert faults.effect("big", "a", lambda: 0.0).end == ""
    faults.apply([on("fail:big", 1.0)], WALL)
    assert faults.effect("big", "a", lambda: 1 - 2**-53).end == "fail"


def test_a_server_that_is_down_refuses_at_once(faults):
    """However slow its model is."""
    faults.apply([on("slow", 9.0), on("down:a")], WALL)

    assert faults.effect("big", "a", never) == Effect(0.0, "down")
    assert faults.effect("big", "b", never) == Effect(9.0, "")
    assert faults.down("a")
    assert not faults.down("b")


def test_a_fault_ends_by_itself(faults, clock):
    """After five minutes at most, whatever was said."""
    faults.apply([on("slow", 1.0, left=10), on("redis", left=1e9)], WALL)

    clock.now += 9.9
    assert faults.effect("big", "a", never).delay == 1.0
    clock.now += 0.2
    assert faults.effect("big", "a", never) == NONE
    assert faults.redis_out
    clock.now += 290
    assert not faults.redis_out
    assert not any(control["on"] for control in faults.controls())


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_wall_clock_that_is_set_changes_nothing(faults, clock, jump):
    """What was said is told again each second; its end is that of the first time."""
    faults.apply([on("redis")], WALL)

    clock.now += 299
    faults.apply([on("redis")], WALL + 299 + jump)
    assert faults.redis_out
    clock.now += 2
    faults.apply([on("redis")], WALL + 301 + jump)
    assert not faults.redis_out


def test_said_again_it_begins_again(faults, clock):
    """Another end was said."""
    faults.apply([on("redis")], WALL)
    clock.now += 200
    faults.apply([on("redis", left=500)], WALL + 200)
    clock.now += 200

    assert faults.redis_out


def test_what_is_off_or_unknown_is_passed_over(faults):
    """Settings of layers come with them."""
    faults.apply([Setting(name="redis", on=False), on("cache"), on("gone", 1.0)], WALL)

    assert faults.effect("big", "a", never) is NONE
    assert not faults.redis_out


def test_controls_show_values_and_ends(faults):
    """The usual value where it is off, the one that is in force where it is on."""
    faults.apply([on("slow", 0.2), on("redis")], WALL)

    assert faults.controls()[:2] == [
        {"name": "slow", "label": "", "kind": "slow", "value": 0.2, "on": True,
         "until": WALL + 300},
        {"name": "slow:big", "label": "", "kind": "slow", "value": 2.0, "on": False,
         "until": None},
    ]  # fmt: skip
    assert faults.controls()[-1]["value"] is None


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [("slow", None, 2.0), ("slow", 0, 0.0), ("slow", 60, 60.0), ("fail:big", 1, 1.0),
     ("redis", None, None)],
)  # fmt: skip
def test_values_are_read(faults, name, value, found):
    """Zero is a value."""
    assert check_value(faults.get(name), value) == found


@pytest.mark.parametrize(
    ("name", "value"),
    [("slow", -1), ("slow", 61), ("slow", math.nan), ("slow", "1"), ("slow", True),
     ("fail:big", 1.01), ("fail:big", math.inf), ("redis", 1), ("down:a", 0)],
)  # fmt: skip
def test_other_values_are_refused(faults, name, value):
    """With the name and the value."""
    with pytest.raises(ConfigError, match=name):
        check_value(faults.get(name), value)


def test_traffic_is_steered_where_it_is_asked_for():
    """Controls that break nothing: they are read, and no request meets them."""
    rig = Rig(traffic=True)
    settings = [rig.broken("traffic.rate", True, 80, WALL)]
    rig.apply(settings, WALL)
    controls = {one["kind"]: one for one in rig.controls()["faults"]}

    assert rig.faults.effect("big", "a", never) == NONE
    assert [(kind, one["on"], one["value"]) for kind, one in controls.items()] == [
        ("rate", True, 80.0),
        ("skew", False, 1.0),
        ("burst", False, None),
    ]
    assert Rig().controls()["faults"] == []
    with pytest.raises(ConfigError, match=r"traffic\.rate must be 0 to 10000"):
        rig.broken("traffic.rate", True, 10_001, WALL)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("slow", 0.25, "it, 250 ms"),
        ("slow", 1.5, "it, 1.5 s"),
        ("fail", 0.3, "it, 30 %"),
        ("fail", 0.0, "it, 0 %"),
        ("rate", 20.0, "it, 20"),
        ("down", None, "it"),
    ],
)
def test_values_are_told_with_their_units(kind, value, said):
    """For people; what has no value has none to tell."""
    assert Fault(name="f", label="it", kind=kind).said(value) == said
