"""The catalogue: what is tried on which graph, on which CPU; and that all of it loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.stages import PRECISIONS, InstructionSet, search_space, standard

VNNI = InstructionSet(frozenset({"avx2", "avx512_vnni"}))
AVX2 = InstructionSet(frozenset({"avx2"}))
ARM = InstructionSet(frozenset({"asimddp", "i8mm"}))


@pytest.mark.parametrize(
    ("kind", "instructions"),
    # The space of a CPU without VNNI holds all that others hold, and more.
    [("bert", AVX2), ("mlp", VNNI), ("mlp", AVX2), ("convnet", AVX2)],
    ids=str,
)
def test_every_recipe_of_a_graph_answers_alike(
    kind: str,
    instructions: InstructionSet,
    request: pytest.FixtureRequest,
    batches: Any,
    bench: Any,
    run: Any,
    cosines: Any,
    tmp_path: Path,
) -> None:
    graph = request.getfixturevalue(kind)
    shape = {"bert": (8, 16), "mlp": (32, 40), "convnet": (8, 3, 16, 16)}[kind]
    feeds = batches(*shape, kind="tokens" if kind == "bert" else "values")
    made = bench(graph, feeds)
    expected = run(graph, feeds[0])

    recipes = search_space(graph, calibrated=True, instructions=instructions)

    assert len({recipe.name for recipe in recipes}) == len(recipes)
    for recipe in recipes:
        recipe.apply(made, tmp_path / "model.onnx")
        least = 0.95 if "entropy" in recipe.name or recipe.precision == "w4" else 0.995
        assert cosines(expected, run(tmp_path / "model.onnx", feeds[0])).mean() > least, recipe


@pytest.mark.parametrize("precision", PRECISIONS)
def test_each_precision_has_a_standard_recipe(precision: str) -> None:
    recipe = standard(precision)

    assert recipe.precision == precision
    assert recipe.name.startswith(precision)
    assert hash(recipe) == hash(standard(precision))
    assert recipe.summary


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ConfigError, match="but got 'int7'"):
        standard("int7")


def test_the_space_of_an_encoder(bert: Path) -> None:
    names = [recipe.name for recipe in search_space(bert, calibrated=True, instructions=VNNI)]

    assert names[:5] == ["fp32", "int8", "w8 block 32", "w8 block 128", "mixed 3"]
    assert {"fp16", "fp32 fused", "int8 fused", "w4 block 32"} <= set(names)
    assert {f"int8_static {method}" for method in ("minmax", "entropy", "percentile")} <= set(names)


@pytest.mark.parametrize("instructions", [VNNI, ARM], ids=str)
def test_narrow_and_unsigned_weights_are_not_tried_where_sums_are_whole(
    instructions: InstructionSet, bert: Path
) -> None:
    for recipe in search_space(bert, calibrated=True, instructions=instructions):
        assert "7 bits" not in recipe.name
        assert "unsigned" not in recipe.name


def test_narrow_weights_come_first_where_sums_are_cut_off(bert: Path) -> None:
    names = [recipe.name for recipe in search_space(bert, calibrated=True, instructions=AVX2)]

    assert names[1] == "int8 7 bits"
    assert "int8 unsigned" in names
    assert "int8_static minmax 7 bits" in names


def test_nothing_static_without_calibration(bert: Path) -> None:
    space = search_space(bert, calibrated=False, instructions=VNNI)

    assert "int8_static" not in {recipe.precision for recipe in space}


def test_static_comes_first_for_convolutions(convnet: Path) -> None:
    names = [recipe.name for recipe in search_space(convnet, calibrated=True, instructions=VNNI)]

    assert names[1] == "int8_static minmax"
    assert "int8" not in names


def test_a_tree_ensemble_is_left_as_it_is(trees: Path) -> None:
    names = [recipe.name for recipe in search_space(trees, calibrated=True, instructions=VNNI)]

    assert names == ["fp32"]
