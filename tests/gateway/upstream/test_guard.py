"""What a Triton is spared."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.gateway.upstream.guard import look


def harm(body: bytes, told: bytes | None) -> str:
    return look(body, told).harm


def body(shape: object, **more: object) -> bytes:
    return json.dumps({"inputs": [{"name": "x", "shape": shape, "data": [1], **more}]}).encode()


@pytest.mark.parametrize(
    "shape",
    # The last takes minutes, and is no float, where it is multiplied to its end.
    [[2**33], [2**62], [1, 2**40], [100_000, 100_000], [-(2**40)], [2**61] * 200_000],
)
def test_holds_back_what_would_take_all_memory(shape: list[int]) -> None:
    assert "elements by its shape" in harm(body(shape), None)


def test_whatever_it_is_hidden_in() -> None:
    """What Triton reads of a text, and a reader of JSON may not."""
    large = body([2**40])
    assert harm(large + b"\0 rubbish", None)
    assert harm(large + bytes(16), b"%d" % len(large))
    assert harm(large.replace(b'"shape"', b'"\\u0073hape"'), None)
    assert harm(large.replace(b'"data"', b'"shape": [1], "data"'), None)
    assert harm(large.replace(b'"name": "x"', b'"name": "\xff\n"'), None)
    assert harm(large.replace(b"[1]", b"[Inf]"), None)
    assert harm(large.replace(b"[1]", b"[-NaN]"), None)
    assert harm(b"\xef\xbb\xbf" + large, None)
    assert harm(b"[" * 60_000, None)
    for told in (b"%d, %d", b"+%d", b" %d ", b"0%d.5", b"%dx", b"%d\t%d"):
        length = told.replace(b"%d", b"%d" % len(large))
        assert harm(large + b"rubbish", length), length
    assert harm(large + b"rubbish", b"%d" % (2**32 + len(large)))


@pytest.mark.parametrize(
    "harmless",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        body([1]),
        body([0, 2**40]),
        body([*[2**61] * 40, 0]),
        body([2.0**40]),
        body([10**50]),
        body(["a"]),
        body(2**40),
        body([10]),
        json.dumps({"inputs": [{"name": "x", "shape": [2**40], "parameters": {}}]}).encode(),
    ],
)
def test_leaves_to_triton_what_it_refuses_itself(harmless: bytes) -> None:
    assert harm(harmless, None) == ""
    assert harm(harmless, b"x") == ""


@given(st.lists(st.integers(0, 6), max_size=4), st.booleans())
def test_never_holds_back_what_is_right(shape: list[int], close: bool) -> None:
    document = {"shape": shape, "data": [0] * math.prod(shape)}
    text = json.dumps(document, separators=(",", ":") if close else None)
    assert harm(text.encode(), None) == ""


def test_tells_what_a_request_asks_for() -> None:
    """The most that any of its tensors says: a first one of few rows hides none."""
    tensors = [{"shape": [1, 9]}, {"shape": [7, 1]}, {"shape": []}, {"shape": ["8"]}]
    assert look(json.dumps({"inputs": tensors}).encode(), None)[1:] == (7, False)
    named = json.dumps({"outputs": [{"parameters": {"shared_memory_region": "r"}}]})
    for each in (named, named.replace("shared_", "shared\\u005f")):
        assert look(each.encode(), None)[1:] == (1, True)
    assert look(b"", None)[1:] == (1, False)
