"""What is changed in a copy, and what is kept."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from tritonkit.client import InferRequest, InferResponse, Spent, Trace

REQUEST = InferRequest(
    model="m",
    inputs={"x": np.zeros(1)},
    version="3",
    outputs=("y",),
    parameters={"p": 1},
    id="i",
    deadline=1.0,
    scope="s",
    tags={"t": "u"},
    priority="batch",
    only_kept=True,
    unchecked=True,
    spent=Spent(1, 2),
)
TRACE = Trace(
    origins=("memory",),
    ages=(1.0,),
    tiers=("a",),
    degraded="stale",
    attempts=2,
    cost=3,
    answer="b",
    arms=(("e", "x"),),
)
RESPONSE = InferResponse(
    model="m", outputs={"y": np.zeros(1)}, version="3", parameters={"p": 1}, id="i", trace=TRACE
)


def test_every_field_above_is_set() -> None:
    unset = (InferRequest(model="", inputs={}), Trace(), InferResponse(model="", outputs={}))
    for value, plain in zip((REQUEST, TRACE, RESPONSE), unset, strict=True):
        for field in fields(value):
            assert getattr(value, field.name) != getattr(plain, field.name), field.name


@pytest.mark.parametrize("changed", ["model", "version"])
def test_a_request_with_something_else_keeps_the_rest(changed: str) -> None:
    copy = REQUEST.but(**{changed: "new"})
    assert getattr(copy, changed) == "new"
    for field in fields(InferRequest):
        if field.name != changed:
            assert getattr(copy, field.name) is getattr(REQUEST, field.name), field.name


@pytest.mark.parametrize("changed", ["attempts", "cost"])
def test_an_answer_whose_trace_says_something_else_keeps_the_rest(changed: str) -> None:
    copy = RESPONSE.traced(**{changed: 9})
    assert getattr(copy.trace, changed) == 9
    for field in fields(Trace):
        if field.name != changed:
            assert getattr(copy.trace, field.name) is getattr(TRACE, field.name), field.name
    for field in fields(InferResponse):
        if field.name != "trace":
            assert getattr(copy, field.name) is getattr(RESPONSE, field.name), field.name
