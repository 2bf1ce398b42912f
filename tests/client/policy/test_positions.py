"""Every key that tomllib reads has the line on which it stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.client.policy.positions import Path, dotted, positions

TEXT = '''
# layers = 1
server = "a # no comment" # a comment
"quoted.key" = 1
'single' = 2
"\\u0061" = 3
a1.b . "c" = [ # a comment ]
  1,
  "two, ]", # }
  [ 3, { x = 4, y.z = [5] } ],
]
text = """
[[not.a.table]]
key = "\\"""" # done
raw = \'\'\'
x = 1\'\'\'\'
day = 1979-05-27 07:32:00Z
inline = { a = { b = 1 }, c = "}" }

[[layers]] # first
type = "cache"
[[layers.stores]]
type = "memory"
[[layers.stores]]
[layers.stores.options]
deep = 1
[ layers . more ]
x = 1

[[layers]]
type = "coalesce"
[[layers.stores]]
type = "redis"
'''


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


def test_every_path_has_its_line() -> None:
    lines = positions(TEXT)
    assert set(lines) == set(paths(tomllib.loads(TEXT)))
    found = {dotted(path): line for path, line in lines.items()}
    expected = {
        "server": 3,
        "'quoted.key'": 4,
        "single": 5,
        "a": 6,
        "a1.b.c": 7,
        "a1.b.c[0]": 8,
        "a1.b.c[1]": 9,
        "a1.b.c[2][1].x": 10,
        "a1.b.c[2][1].y.z[0]": 10,
        "text": 12,
        "raw": 15,
        "day": 17,
        "inline.a.b": 18,
        "inline.c": 18,
        "layers": 20,
        "layers[0].type": 21,
        "layers[0].stores[0].type": 23,
        "layers[0].stores[1]": 24,
        "layers[0].stores[1].options.deep": 26,
        "layers[0].more": 27,
        "layers[0].more.x": 28,
        "layers[1]": 30,
        "layers[1].type": 31,
        "layers[1].stores[0].type": 33,
    }
    assert {key: found[key] for key in expected} == expected


def test_lines_may_end_as_on_windows() -> None:
    text = TEXT.replace("\n", "\r\n")
    assert positions(text) == positions(TEXT)


KEYS = st.sampled_from(["a", "b", "c-d", '"q.\\""', "'l'", "a.b", 'c . "d"', "1"])
SCALARS = st.sampled_from(
    ["1", "-1.5e3", "true", "nan", '""', "''", '"]},\\n#"', "'}]'", '"""\n"]\n"""', "'''\n'\n'''",
     '"""a\\""""', "07:32:00", "1979-05-27 07:32:00"]
)  # fmt: skip
GAPS = st.sampled_from(["", " ", "\t", "\n", " # ]}\n"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(st.tuples(GAPS, inner, GAPS), max_size=3).map(
            lambda items: "[" + ",".join(map("".join, items)) + "]"
        )
        | st.lists(st.tuples(KEYS, inner), max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=6,
)
PAIRS = st.tuples(KEYS, VALUES).map(" = ".join)
HEADERS = KEYS.map(lambda key: f"[{key}]") | KEYS.map(lambda key: f"[[ {key} ]]")


@settings(max_examples=300)
@given(st.lists(PAIRS | HEADERS | st.just(""), max_size=8).map("\n".join))
def test_what_tomllib_reads_is_found(text: str) -> None:
    """No key too few, none too many, and each on a line that exists."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = positions(text)
    assert set(lines) == set(paths(document))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@given(st.text(alphabet="[]{}=\"',.#\n\\ a1", max_size=40))
def test_any_text_comes_to_an_end(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(positions(text)) == set(paths(document))


@pytest.mark.parametrize("text", ["", "\n", "# x", "a = 1"])
def test_small_files(text: str) -> None:
    assert set(positions(text)) == set(paths(tomllib.loads(text)))
