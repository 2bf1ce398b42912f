"""Ranking of nodes: a planted outlier, and the scan that is shared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tritonkit.errors import ExportError
from tritonkit.export.stages import Mixed, Static, quantise_dynamic, rank_nodes


@pytest.mark.parametrize("planted", ["first", "second", "third"])
def test_the_layer_with_an_outlier_is_first(
    planted: str, mlp: Path, batches: Any, bench: Any, tmp_path: Path
) -> None:
    """One huge weight in each column leaves no steps of 8 bits for the others."""
    model = onnx.load(str(mlp))
    for tensor in model.graph.initializer:
        if tensor.name == f"{planted}.weight":
            values = onnx.numpy_helper.to_array(tensor).copy()
            values[:, 0] = 100 * np.abs(values).max()
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, str(tmp_path / "planted.onnx"))

    ranking = rank_nodes(bench(tmp_path / "planted.onnx", batches(16, 40)))

    assert set(ranking) == {"first", "second", "third"}
    assert ranking[0] == planted


def test_rounding_one_node_is_what_dynamic_int8_does_to_it(
    mlp: Path, batches: Any, bench: Any, run: Any, tmp_path: Path
) -> None:
    losses = []
    made = bench(mlp, batches(16, 40))

    def loss(path: Path) -> float:
        losses.append(made.loss(path))
        return losses[-1]

    rank_nodes(replace(made, loss=loss))
    for name, rounded in zip(("first", "second", "third"), losses, strict=True):
        rest = {"first", "second", "third"} - {name}
        quantise_dynamic(mlp, tmp_path / "one.onnx", exclude=rest)
        assert made.loss(tmp_path / "one.onnx") == pytest.approx(rounded, rel=0.02)


def test_recipes_share_one_scan(mlp: Path, batches: Any, bench: Any, tmp_path: Path) -> None:
    made = bench(mlp, batches(16, 40))
    asked: list[Path] = []

    def loss(path: Path) -> float:
        asked.append(path)
        return made.loss(path)

    counted = replace(made, loss=loss)
    for recipe in (Mixed(sensitive=1), Mixed(sensitive=2), Static(sensitive=1), Mixed()):
        recipe.apply(counted, tmp_path / "model.onnx")

    assert len(asked) == 3
    assert {path.name for path in made.scratch.iterdir()} == {"sensitivity.json"}


def test_a_graph_without_products_is_refused(trees: Path, batches: Any, bench: Any) -> None:
    with pytest.raises(ExportError, match="no MatMul or Gemm with constant weights"):
        rank_nodes(bench(trees, batches(4, 2)))
