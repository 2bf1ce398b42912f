"""The search's loop, on a graph of one layer with onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tritonkit.errors import ExportError
from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.search.choice import choose
from tritonkit.export.search.trial import try_recipes
from tritonkit.export.sources.source import Source
from tritonkit.export.stages.recipe import Recipe

Change = Callable[..., Recipe]
Noisy = Callable[[float], Callable[[Any], Any]]


class Clock:
    """Every look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def raises(error: BaseException) -> Callable[[Any], Any]:
    def change(model: Any) -> Any:
        raise error

    return change


def test_every_candidate_has_size_speed_and_accuracy(
    bed: Any, change: Change, noisy: Noisy
) -> None:
    recipes = [change("fp32"), change("w8", noisy(0.001)), change("w4", noisy(1.0))]

    tried = try_recipes(bed.source, bed.bench, recipes, **bed.given)

    assert [one.recipe for one in tried.candidates] == ["fp32", "w8", "w4"]
    fp32, w8, w4 = tried.candidates
    assert (tried.failed, tried.skipped, tried.interrupted) == ({}, (), False)
    assert fp32.times_smaller == 1.0
    assert fp32.speed.times_faster == {1: 1.0, 32: 1.0}
    assert fp32.accuracy.agreement == 1.0
    assert fp32.accuracy.cosine_min > 0.999999
    assert 1.0 > w8.accuracy.cosine_mean > 0.999 > w4.accuracy.cosine_mean
    for one in tried.candidates:
        assert one.size_bytes == one.graph.stat().st_size
        assert set(one.speed.times_faster) == {1, 32}
        assert one.accuracy.batch.invariant


def test_a_recipe_that_fails_is_named_and_the_rest_go_on(bed: Any, change: Change) -> None:
    def unknown_operator(model: Any) -> Any:
        model.graph.node[0].op_type = "Nonsense"
        return model

    def not_implemented(model: Any) -> Any:
        model.graph.node[0].domain = "nobody.knows"
        model.opset_import.append(onnx.helper.make_opsetid("nobody.knows", 1))
        return model

    recipes = [
        change("fp32"),
        change("int8", raises(ExportError("the graph has no MatMul"))),
        change("w8", unknown_operator),
        change("w4", not_implemented),
        change("fp16"),
    ]
    lines: list[str] = []

    tried = try_recipes(bed.source, bed.bench, recipes, **bed.given, progress=lines.append)

    assert [one.recipe for one in tried.candidates] == ["fp32", "fp16"]
    assert list(tried.failed) == ["int8", "w8", "w4"]
    assert tried.failed["int8"] == "the graph has no MatMul"
    assert "Nonsense" in tried.failed["w8"]
    assert "nobody.knows" in tried.failed["w4"]
    assert "int8: left out: the graph has no MatMul" in lines
    assert tried.skipped == ()


def test_no_optional_recipe_is_begun_that_would_end_too_late(bed: Any, change: Change) -> None:
    """A recipe looks at the clock twice, so takes a second; the next begins one later."""
    optional = [change(f"w8 {block}") for block in range(9)]

    tried = try_recipes(
        bed.source,
        bed.bench,
        [change("fp32")],
        optional=optional,
        time_budget=5.5,
        clock=Clock(),
        **bed.given,
    )

    assert [one.recipe for one in tried.candidates] == ["fp32", "w8 0", "w8 1", "w8 2"]
    assert tried.skipped == tuple(f"w8 {block}" for block in range(3, 9))
    assert not tried.interrupted


def test_what_is_not_optional_is_tried_even_if_there_is_no_time(bed: Any, change: Change) -> None:
    tried = try_recipes(
        bed.source,
        bed.bench,
        [change("fp32"), change("int8")],
        optional=[change("w8")],
        time_budget=0.0,
        clock=lambda: 0.0,
        **bed.given,
    )

    assert [one.recipe for one in tried.candidates] == ["fp32", "int8"]
    assert tried.skipped == ("w8",)


def test_what_fp32_fails_ends_the_search(bed: Any, change: Change) -> None:
    """It is shown once it is measured, and before anything else is begun."""
    shown: list[str] = []
    lines: list[str] = []

    def check(base: Any) -> None:
        shown.append(base.recipe)
        assert base.speed.times_faster == {1: 1.0, 32: 1.0}
        raise ExportError("fp32 is not the source")

    with pytest.raises(ExportError, match="fp32 is not the source"):
        try_recipes(
            bed.source,
            bed.bench,
            [change("fp32"), change("int8")],
            check=check,
            progress=lines.append,
            **bed.given,
        )
    assert shown == ["fp32"]
    assert not any("int8" in line for line in lines)


def test_the_time_left_is_told(bed: Any, change: Change) -> None:
    lines: list[str] = []
    recipes = [change("fp32"), *(change(f"w8 {block}") for block in range(9))]

    try_recipes(bed.source, bed.bench, recipes, **bed.given, clock=Clock(), progress=lines.append)

    begun = [line for line in lines if " of 10" in line]
    assert begun[0] == "fp32: 1 of 10"
    assert begun[1] == "w8 0: 2 of 10"
    assert begun[2] == "w8 1: 3 of 10, about 8 s left"
    assert begun[-1] == "w8 8: 10 of 10, about 1 s left"
    assert len(lines) == 20


def test_ctrl_c_keeps_what_was_measured(bed: Any, change: Change) -> None:
    recipes = [
        change("fp32"),
        change("w8"),
        change("int8", raises(KeyboardInterrupt())),
        change("w4"),
    ]

    tried = try_recipes(bed.source, bed.bench, recipes, **bed.given)

    assert tried.interrupted
    assert [one.recipe for one in tried.candidates] == ["fp32", "w8"]
    assert tried.skipped == ("int8", "w4")
    assert choose(tried.candidates, budget=Budget(), force=True).candidate is not None


def test_ctrl_c_before_fp32_was_measured_ends_it(bed: Any, change: Change) -> None:
    with pytest.raises(KeyboardInterrupt):
        try_recipes(
            bed.source, bed.bench, [change("fp32", raises(KeyboardInterrupt()))], **bed.given
        )


def test_a_batch_dependent_candidate_is_found_and_refused_on_demand(
    bed: Any, change: Change, batch_dependent: Callable[[Any], Any]
) -> None:
    recipes = [change("fp32"), change("int8", batch_dependent)]

    tried = try_recipes(bed.source, bed.bench, recipes, **bed.given)

    fp32, int8 = tried.candidates
    assert not int8.accuracy.batch.invariant
    choice = choose(tried.candidates, budget=Budget(batch_invariant=True), force=True)
    assert choice.candidate is fp32
    assert choice.refused["int8"].startswith("an answer depends on its batch")


def test_a_swapped_weight_keeps_no_budget(bed: Any, change: Change) -> None:
    def swap(model: Any) -> Any:
        (weights,) = model.graph.initializer
        values = onnx.numpy_helper.to_array(weights)[::-1].copy()
        weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
        return model

    tried = try_recipes(bed.source, bed.bench, [change("fp32", swap)], **bed.given)

    assert choose(tried.candidates, budget=Budget(min_cosine=0.99)).candidate is None


@pytest.mark.parametrize("damage", ["no such output", "unknown operator", "refusal"])
def test_a_broken_finish_is_an_error_of_the_export(
    bed: Any, rows: type[Source], change: Change, damage: str
) -> None:
    class Broken(rows):  # type: ignore[misc, valid-type]
        def finish(self, model: Any) -> Any:
            if damage == "refusal":
                raise ExportError("there is no attention_mask")
            if damage == "unknown operator":
                model.graph.node[0].op_type = "Nonsense"
            else:
                model.graph.output[0].name = "absent"
            return model

    with pytest.raises(ExportError, match="the converted graph cannot be served"):
        try_recipes(Broken(), bed.bench, [change("fp32")], **bed.given)


def test_the_first_recipe_must_be_fp32(bed: Any, change: Change) -> None:
    with pytest.raises(ValueError, match="the first recipe must be fp32"):
        try_recipes(bed.source, bed.bench, [change("w8")], **bed.given)


def test_a_broken_fp32_ends_the_search_at_once(bed: Any, change: Change) -> None:
    def refuse(base: Any) -> None:
        raise ExportError(f"{base.recipe} is broken")

    lines: list[str] = []
    with pytest.raises(ExportError, match="fp32 is broken"):
        try_recipes(
            bed.source,
            bed.bench,
            [change("fp32"), change("w8")],
            **bed.given,
            check=refuse,
            progress=lines.append,
        )
    assert not any(line.startswith("w8") for line in lines)


def test_only_finished_graphs_are_left_behind(bed: Any, change: Change) -> None:
    recipes = [change("fp32"), change("w8")]

    tried = try_recipes(bed.source, bed.bench, recipes, **bed.given)

    folder: Path = bed.given["folder"]
    assert sorted(folder.iterdir()) == [one.graph for one in tried.candidates]
    assert np.array_equal(*(Path(one.graph).read_bytes() for one in tried.candidates[:1] * 2))
