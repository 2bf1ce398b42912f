"""An arm takes the place of its experiment in the file, and nothing else moves."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client.policy.positions import parts
from tritonkit.client.policy.promotion import promoted
from tritonkit.errors import ConfigError

HEAD = """\
# The service of [[layers]] and "split".
server = "http://localhost:8000"  # Triton
experiments = { type = "sqlite", path = "e.db" }

[[layers]]
type = "telemetry"

"""
TAIL = """
[[layers]]  # the last one
type = "cache"   # keep
ttl = "24h"
"""
INLINE = """\
# A try.
[[layers]]
type = "split"  # on trial
experiment = "int8"
by = "user"
# Half of them.
share = "50%"
sticky = { type = "memory" }
arms = [
  { name = "control", weight = 1 },
  # faster
  { name = "int8", model = "embed_int8", weight = 1, layers = ["retry"] },
]
"""
TABLES = """\
[[layers]]
experiment = 'int8'
type = 'split'

[[layers.arms]]
name = "control"  # as it was

[[ layers . arms ]]  # faster
weight = 9
name = "int8"
model = "${MODEL}"

[[layers.arms.layers]]
type = "deadline"
# a second at most
timeout = "1s"

[layers.sticky]
type = "memory"
"""


def test_arms_in_a_line() -> None:
    """What was the arm's, as it was written."""
    made = promoted(HEAD + INLINE + TAIL, "int8", "int8")
    expected = """\
# A try.
[[layers]]
type = "tiers"  # on trial
# Half of them.
routes = [{ name = "int8", model = "embed_int8", layers = ["retry"] }]
"""
    assert HEAD + expected + TAIL == made


def test_arms_in_tables() -> None:
    made = promoted(HEAD + TABLES + TAIL, "int8", "int8")
    expected = """\
[[layers]]
type = "tiers"

[[ layers . routes ]]  # faster
name = "int8"
model = "${MODEL}"

[[layers.routes.layers]]
type = "deadline"
# a second at most
timeout = "1s"
"""
    squeezed = made[len(HEAD) : -len(TAIL)]
    assert made.startswith(HEAD)
    assert made.endswith(TAIL)
    assert [line for line in expected.splitlines() if line] == [
        line for line in squeezed.splitlines() if line
    ]


@pytest.mark.parametrize("layer", [INLINE, TABLES])
def test_an_arm_that_is_a_name_leaves_nothing(layer: str) -> None:
    made = promoted(HEAD + layer + TAIL, "int8", "control")
    assert tomllib.loads(HEAD + TAIL) == tomllib.loads(made)
    assert made.startswith(HEAD)
    assert made.endswith(TAIL)


def test_of_two_experiments_the_other_stays() -> None:
    other = INLINE.replace('"int8"\nby', '"another"\nby')
    made = promoted(HEAD + other + TABLES, "int8", "control")
    assert made.startswith(HEAD + other)


def test_other_newlines_stay() -> None:
    text = (HEAD + INLINE + TAIL).replace("\n", "\r\n")
    assert text.count("\n") - 8 == promoted(text, "int8", "int8").count("\r\n")


@given(st.permutations(INLINE.splitlines(keepends=True)[3:8]))
def test_in_any_order_of_keys(keys: list[str]) -> None:
    lines = INLINE.splitlines(keepends=True)
    text = "".join([*HEAD, *lines[:2], *keys, lines[2], *lines[8:], *TAIL])
    layer = tomllib.loads(promoted(text, "int8", "int8"))["layers"][1]
    assert layer["type"] == "tiers"
    assert layer.keys() == {"type", "routes"}


@pytest.mark.parametrize(
    ("text", "experiment", "arm", "message"),
    [
        ("what", "int8", "a", "is no TOML"),
        (HEAD, "int8", "a", "there is no split"),
        (HEAD + INLINE, "int9", "a", "no experiment 'int9'"),
        (HEAD + INLINE, "int8", "what", "arm must be one of"),
        (HEAD + INLINE + 'models = ["m"]\n', "int8", "int8", "for some models only"),
        (
            'layers = [{ type = "split", experiment = "e", '
            'arms = [{ name = "a" }, { name = "b" }] }, { type = "cache" }]',
            "e",
            "a",
            "cannot be edited",
        ),
    ],
)
def test_what_cannot_be_promoted(text: str, experiment: str, arm: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        promoted(text, experiment, arm)


def test_parts() -> None:
    """Each with what it is made of, in order."""
    text = 'a = [1, { b = "x=1]" }]  # c = 2\n[t."u.v"]\nw = """\n[no]\n"""\n'
    told = [(part.path, part.kind, text[part.begin : part.end]) for part in parts(text)]
    assert told == [
        (("a",), "pair", 'a = [1, { b = "x=1]" }]'),
        (("a", 0), "item", "1"),
        (("a", 1), "item", '{ b = "x=1]" }'),
        (("a", 1, "b"), "pair", 'b = "x=1]"'),
        (("t", "u.v"), "header", '[t."u.v"]'),
        (("t", "u.v", "w"), "pair", 'w = """\n[no]\n"""'),
    ]
