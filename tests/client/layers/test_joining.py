"""Requests as one, and its answer as theirs."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.client import InferRequest, InferResponse, Signature, TensorSpec, Trace
from tritonkit.client.layers.coalesce.joining import join, joinable_rows, kind, split, unsplittable
from tritonkit.client.wire.datatypes import BFLOAT16

X = np.zeros((2, 3), dtype=np.float32)


def request(x: Any = X, **fields: Any) -> InferRequest:
    return InferRequest(**{"model": "m", "inputs": {"x": np.asarray(x)}, **fields})


def signature(*, max_batch_size: int = 8, batched: bool = True) -> Signature:
    spec = TensorSpec(name="x", datatype="FP32", shape=(-1, 3), batched=batched)
    return Signature(model="m", inputs={"x": spec}, outputs={}, max_batch_size=max_batch_size)


def test_rows_of_what_may_be_joined() -> None:
    assert joinable_rows(request(id="7", parameters={"a": 1}), signature()) == 2


@pytest.mark.parametrize(
    "apart",
    [
        request(parameters={"sequence_id": 1}),
        request(parameters={"sequence_start": True}),
        request(np.float32(1)),
        request(np.zeros((0, 3), dtype=np.float32)),
        request(inputs={"x": X, "unknown": X}),
        request(inputs={}),
    ],
)
def test_what_is_sent_by_itself(apart: InferRequest) -> None:
    assert joinable_rows(apart, signature()) == 0


def test_models_and_inputs_without_rows_are_left_alone() -> None:
    assert joinable_rows(request(), signature(max_batch_size=0)) == 0
    assert joinable_rows(request(), signature(batched=False)) == 0


def test_inputs_of_different_length_are_for_the_server_to_refuse() -> None:
    spec = signature().inputs["x"]
    two = Signature(model="m", inputs={"x": spec, "y": spec}, outputs={}, max_batch_size=8)
    assert joinable_rows(request(inputs={"x": X, "y": X[:1]}), two) == 0


@pytest.mark.parametrize(
    "other",
    [
        {"model": "n"},
        {"version": "2"},
        {"scope": "tenant"},
        {"tags": {"user": "u1"}},
        {"priority": "refresh"},
        {"outputs": ("y",)},
        {"outputs": ()},
        {"parameters": {"a": 1.0}},
        {"parameters": {"a": True}},
        {"parameters": {"a": "1"}},
        {"parameters": {}},
        {"inputs": {"y": X}},
        {"inputs": {"x": X.astype(np.float64)}},
        {"inputs": {"x": X.reshape(2, 3, 1)}},
        {"inputs": {"x": X[:, :2]}},
    ],
)
def test_one_difference_is_another_kind(other: dict[str, Any]) -> None:
    assert kind(request(parameters={"a": 1})) != kind(request(**{"parameters": {"a": 1}, **other}))


def test_rows_id_deadline_and_order_are_no_difference() -> None:
    first = request(inputs={"x": X, "y": X}, parameters={"a": 1, "b": 2}, id="1", deadline=3.0)
    second = request(inputs={"y": X[:1], "x": X[:1]}, parameters={"b": 2, "a": 1})
    assert kind(first) == kind(second)


def test_tags_that_do_not_count_are_no_difference_and_are_joined_away() -> None:
    first, second = (request(tags={"user": user, "arm": "b"}) for user in ("u1", "u2"))
    assert kind(first) != kind(second)
    assert kind(first, ["user"]) != kind(second, ["user"])
    assert kind(first, ["arm"]) == kind(second, ["arm"])
    assert join([first, second]).tags == {"arm": "b"}
    assert join([first, first]).tags == first.tags


def test_text_of_any_numpy_type_is_one_kind_and_stays_what_it_is() -> None:
    """numpy itself would make text of bytes."""
    requests = [
        request(np.array([["é"]])),
        request(np.array([[b"\xff\0a"]])),
        request(np.array([["long text"], ["\0"]], dtype=np.object_)),
    ]
    assert len({kind(each) for each in requests}) == 1
    assert join(requests).inputs["x"].tolist() == [["é"], [b"\xff\0a"], ["long text"], ["\0"]]


@pytest.mark.parametrize("dtype", [BFLOAT16, ml_dtypes.bfloat16, np.bool_, np.uint64, ">f4"])
def test_every_type_is_joined(dtype: Any) -> None:
    rows = np.zeros((3, 2), dtype=dtype)
    joined = join([request(rows[:1]), request(rows[1:])]).inputs["x"]
    assert joined.shape == (3, 2)
    assert joined.tolist() == rows.tolist()


def test_the_deadline_is_the_latest_and_none_where_one_has_none() -> None:
    early, late = request(deadline=1.0, id="1"), request(deadline=2.0, id="2")
    assert join([early, late]).deadline == 2.0
    assert join([early, request()]).deadline is None
    assert join([early, late]).id == ""


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_rows_keep_their_order(rows: list[int]) -> None:
    """What is joined and split again is what it was."""
    values = np.arange(sum(rows), dtype=np.int64)[:, None]
    stops = np.cumsum(rows).tolist()
    spans = list(zip([0, *stops], stops, strict=False))
    joined = join([request(values[start:stop]) for start, stop in spans])
    answer = InferResponse(
        model="m",
        version="3",
        outputs={"y": joined.inputs["x"]},
        trace=Trace(origins=tuple(map(str, range(sum(rows)))), ages=(1.0,)),
    )
    for start, stop in spans:
        part = split(answer, start, stop, id="7")
        np.testing.assert_array_equal(part["y"], values[start:stop])
        assert part["y"].base is not None
        assert part.trace.origins == tuple(map(str, range(start, stop)))
        assert (part.id, part.version) == ("7", "3")


def test_a_trace_of_the_whole_is_that_of_each_part() -> None:
    answer = InferResponse(
        model="m", outputs={"y": X}, trace=Trace(origins=("memory",), ages=(2.0,))
    )
    part = split(answer, 0, 1, id="")
    assert part.trace == answer.trace


def test_what_layers_below_say_holds_for_each_part_and_its_cost_is_shared() -> None:
    """What a Cache above must not keep is known by `degraded`."""
    answer = InferResponse(
        model="m",
        outputs={"y": np.zeros((3, 1))},
        trace=Trace(tiers=("a", "b", "a"), degraded="constant", attempts=2, cost=100),
    )
    parts = [split(answer, start, stop, id="").trace for start, stop in ((0, 1), (1, 3))]
    assert [part.tiers for part in parts] == [("a",), ("b", "a")]
    assert [(part.degraded, part.attempts) for part in parts] == [("constant", 2)] * 2
    assert [part.cost for part in parts] == [33, 67]


def test_an_answer_without_a_row_for_each_is_named() -> None:
    good, bad = X, np.zeros(3)
    assert unsplittable(InferResponse(model="m", outputs={"y": good}), 2) == ""
    for outputs in ({"y": good, "z": bad}, {"z": np.float32(1)}):
        assert "'z'" in unsplittable(InferResponse(model="m", outputs=outputs), 2)
