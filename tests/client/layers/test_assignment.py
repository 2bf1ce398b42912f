"""Who gets which arm: evenly, independently, for ever, and the same in every language."""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, chi2_contingency, chisquare

from tritonkit.client.layers.split.assignment import Assignment, hash64, uniform
from tritonkit.errors import ConfigError

GOLDEN = Path(__file__).with_name("golden_assignments.json")

COUNT = 10_000
ARMS = [f"arm{number}" for number in range(20)]
CHANCE = 1e-3
"""
Of a false alarm of one test of this file, at most: what several tests look at shares it.

All ids are fixed, so a test that passes once passes always.
"""

KINDS: dict[str, Callable[[int], str]] = {
    "sequential": str,
    "padded": lambda number: f"user-{number:08d}",
    "uuid": lambda number: str(uuid.UUID(int=hash64("uuid", str(number)) << 64 | number)),
    "email": lambda number: f"first.last{number}@example.com",
}


def scores(experiment: str, arms: list[str], units: list[str], salt: str = "") -> NDArray[Any]:
    """-1 / ln u of each arm (row) and unit (column), written anew from the specification."""
    found = np.empty((len(arms), len(units)))
    names = [struct.pack(">I", len(unit.encode())) + unit.encode() for unit in units]
    for row, arm in enumerate(arms):
        prefix = b""
        for field in ("arm", salt, experiment, arm):
            prefix += struct.pack(">I", len(field.encode())) + field.encode()
        digests = b"".join(hashlib.sha256(prefix + name).digest()[:8] for name in names)
        numbers = np.frombuffer(digests, ">u8").astype(np.uint64)
        found[row] = -1 / np.log(((numbers >> np.uint64(12)).astype(float) + 0.5) / 2.0**52)
    return found


def chosen(found: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    picked: NDArray[Any] = np.argmax(found * weights[:, None], axis=0)
    return picked


@pytest.mark.parametrize("kind", KINDS)
def test_units_are_shared_out_by_weight(kind: str) -> None:
    """2 to 20 arms of unequal weights, and within each last character of an id."""
    units = [KINDS[kind](number) for number in range(COUNT)]
    found = scores("e", ARMS, units)
    last = np.array([unit[-1] if kind != "email" else unit.split("@")[0][-1] for unit in units])
    looks = [(count, at) for count in range(2, 21) for at in ("", *sorted(set(last))[:10])]
    for count, at in looks:
        weights = np.arange(1.0, count + 1)
        arms = chosen(found[:count], weights)
        arms = arms[last == at] if at else arms
        counts = np.bincount(arms, minlength=count)
        # Tests share the chance of a false alarm (Bonferroni).
        p = chisquare(counts, weights / weights.sum() * len(arms)).pvalue
        assert p > CHANCE / len(looks), (count, at, counts)


def test_a_million_units() -> None:
    """Two arms, one in a hundred: no grain."""
    found = scores("big", ["a", "b"], [str(number) for number in range(1_000_000)])
    small = int(chosen(found, np.array([99.0, 1.0])).sum())
    # Both tails share the chance.
    low, high = binom.ppf([CHANCE / 2, 1 - CHANCE / 2], 1_000_000, 0.01)
    assert low <= small <= high


def test_the_function_is_the_specification() -> None:
    """What the library says is what the arrays above say."""
    units = [KINDS["email"](number) for number in range(300)]
    weights = {arm: float(number) for number, arm in enumerate(ARMS)}
    assignment = Assignment("e", weights, salt="s")
    expected = chosen(scores("e", ARMS, units, "s"), np.array(list(weights.values())))
    assert [assignment.arm(unit) for unit in units] == [ARMS[number] for number in expected]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("exp1", ""), ("exp2", "")),
        (("exp", ""), ("exp1", "")),
        (("exp", "1"), ("exp1", "")),
        (("ab", "c"), ("b", "ca")),
        (("e", "salt1"), ("e", "salt2")),
    ],
)
def test_experiments_are_independent(one: tuple[str, str], other: tuple[str, str]) -> None:
    """However similar their names and salts are."""
    units = [KINDS["padded"](number) for number in range(COUNT)]
    weights = np.array([1.0, 2.0, 3.0])
    arms = [chosen(scores(name, ARMS[:3], units, salt), weights) for name, salt in (one, other)]
    table = np.zeros((3, 3))
    np.add.at(table, tuple(arms), 1)
    assert chi2_contingency(table).pvalue > CHANCE / 5


def test_exposure_group_and_arm_are_independent() -> None:
    """Who is exposed, or has his place in a group, says nothing of his arm."""
    units = [str(number) for number in range(10_000)]
    assignment = Assignment("e", {"a": 1, "b": 1}, group="g", holdout=0.1, range=(0.2, 0.9))
    ramped = Assignment("e", {"a": 1, "b": 1}, share=0.3)
    kinds = [assignment.takes_part, ramped.takes_part, lambda unit: assignment.arm(unit) == "a"]
    table = np.zeros((2, 2, 2))
    for unit in units:
        table[tuple(int(kind(unit)) for kind in kinds)] += 1
    assert chi2_contingency(table).pvalue > CHANCE / 2
    taking_part = table[1].sum()
    low, high = binom.ppf([CHANCE / 4, 1 - CHANCE / 4], len(units), 0.9 * 0.7)
    assert low <= taking_part <= high


@given(unit=st.text(max_size=30), shares=st.lists(st.floats(0, 1), min_size=2, max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_ramp_moves_nobody(unit: str, shares: list[float]) -> None:
    """Who takes part goes on to while the share grows, in the same arm; at 1 all do, at 0 none."""
    steps = [Assignment("e", {"a": 1, "b": 2}, share=share) for share in sorted([0, *shares, 1])]
    part = [step.takes_part(unit) for step in steps]
    assert part == sorted(part)
    assert (part[0], part[-1]) == (False, True)
    assert len({step.arm(unit) for step in steps}) == 1


@given(
    units=st.lists(st.text(max_size=10), min_size=20, max_size=20),
    weights=st.lists(st.floats(0.001, 1000), min_size=2, max_size=6),
    factor=st.floats(1, 100),
)
@settings(max_examples=40, deadline=None)
def test_units_move_only_where_they_must(
    units: list[str], weights: list[float], factor: float
) -> None:
    """Into an arm that gains, out of one that loses or goes; scaling all of them moves nobody."""
    named = dict(zip(ARMS, weights, strict=False))
    before = Assignment("e", named)
    gains = Assignment("e", {**named, "arm0": named["arm0"] * factor})
    another = Assignment("e", {**named, "new": factor})
    turned = Assignment("e", dict(reversed(named.items())))
    for unit in units:
        arm = before.arm(unit)
        assert gains.arm(unit) in (arm, "arm0")
        assert another.arm(unit) in (arm, "new")
        assert turned.arm(unit) == arm
    # A power of two leaves every bit of the scores' order.
    scaled = Assignment("e", {name: weight * 4 for name, weight in named.items()})
    assert [scaled.arm(unit) for unit in units] == [before.arm(unit) for unit in units]


def test_no_more_units_move_than_must() -> None:
    """From 90:10 to 50:50 it is 40 of 100; for a third arm of a third it is a third."""
    units = [str(number) for number in range(COUNT)]
    found = scores("e", ["a", "b", "c"], units)
    before, after, third = (
        chosen(found[: len(weights)], np.array(weights))
        for weights in ([9.0, 1.0], [1.0, 1.0], [1.0, 1.0, 1.0])
    )
    for one, other, share in ((before, after, 0.4), (after, third, 1 / 3)):
        low, high = binom.ppf([CHANCE / 4, 1 - CHANCE / 4], COUNT, share)
        assert low <= (one != other).sum() <= high


def test_mutual_exclusion() -> None:
    """Ranges of one group have no unit in common, and a holdout is out of all of them."""
    one = Assignment("one", {"a": 1}, group="g", range=(0.0, 0.5), holdout=0.2)
    two = Assignment("two", {"a": 1}, group="g", range=(0.5, 1.0), holdout=0.2)
    units = [str(number) for number in range(5_000)]
    parts = [(one.takes_part(unit), two.takes_part(unit)) for unit in units]
    assert (True, True) not in parts
    out = [unit for unit, part in zip(units, parts, strict=True) if part == (False, False)]
    assert out == [unit for unit in units if uniform("holdout", "g", unit) < 0.2]


def test_golden_vectors() -> None:
    """They never change: a unit would change its arm. Any language can be tested by them."""
    golden = json.loads(GOLDEN.read_text())
    for vector in golden["hashes"]:
        assert f"{hash64(*vector['fields']):016x}" == vector["hash"]
        assert uniform(*vector["fields"]) == vector["uniform"]
    for case in golden["assignments"]:
        options = {name: case[name] for name in ("salt", "share", "group", "range", "holdout")}
        assignment = Assignment(case["experiment"], case["weights"], **options)
        for unit, (takes_part, arm) in case["units"].items():
            assert (assignment.takes_part(unit), assignment.arm(unit)) == (takes_part, arm)


def test_every_process_says_the_same() -> None:
    """Whatever its seed of hashing is."""
    code = """
from tritonkit.client.layers.split.assignment import Assignment
a = Assignment("e", {"x": 1, "y": 1})
print([a.arm(str(n)) for n in range(50)])
"""
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    mine = Assignment("e", {"x": 1, "y": 1})
    assert told.strip() == str([mine.arm(str(number)) for number in range(50)])


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ({"a": -1, "b": 1}, {}, "but got -1 for arm 'a'"),
        ({"a": math.nan, "b": 1}, {}, "but got nan for arm 'a'"),
        ({"a": math.inf}, {}, "but got inf"),
        ({"a": True}, {}, "but got True"),
        ({"a": 0, "b": 0}, {}, "one weight must be more than 0"),
        ({}, {}, "one weight must be more than 0"),
        ({"": 1}, {}, "an arm's name"),
        ({"a": 1}, {"share": 1.5}, "share must be 0 to 1, but got 1.5"),
        ({"a": 1}, {"range": (0.5, 0.5), "group": "g"}, "range must be two shares"),
        ({"a": 1}, {"range": (0.0, 0.5)}, "but got group=''"),
        ({"a": 1}, {"holdout": 0.1}, "but got group=''"),
    ],
)
def test_what_is_wrong_is_said(
    weights: dict[str, float], options: dict[str, Any], message: str
) -> None:
    """And never mended."""
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        Assignment("e", weights, **options)


def test_an_arm_without_weight_gets_nobody() -> None:
    assignment = Assignment("e", {"a": 0, "b": 1e-300})
    assert {assignment.arm(str(number)) for number in range(1000)} == {"b"}


def test_the_guide_says_the_same() -> None:
    """Its code, run as it stands, gives the golden vectors."""
    guide = GOLDEN.parents[3] / "docs" / "guides" / "experiments-assignment.md"
    names: dict[str, Any] = {}
    exec(guide.read_text(encoding="utf-8").split("```python\n")[3].partition("```")[0], names)
    for case in json.loads(GOLDEN.read_text())["assignments"]:
        for unit, expected in case["units"].items():
            assert [names["takes_part"](case, unit), names["arm"](case, unit)] == expected
