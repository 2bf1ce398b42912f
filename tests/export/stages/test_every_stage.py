"""What holds for each stage."""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from tritonkit.errors import ConfigError, ExportError
from tritonkit.export.stages import (
    halve,
    optimise,
    quantise_dynamic,
    quantise_mixed,
    quantise_static,
    quantise_weights,
)

STAGES: dict[str, Callable[..., None]] = {
    "optimise": lambda source, target, _: optimise(source, target),
    "fp16": lambda source, target, batches: halve(source, target, batches=batches),
    "int8": lambda source, target, _: quantise_dynamic(source, target),
    "int8_static": lambda source, target, batches: quantise_static(source, target, batches=batches),
    "w8": lambda source, target, _: quantise_weights(source, target),
    "w4": lambda source, target, _: quantise_weights(source, target, bits=4),
    "mixed": lambda source, target, _: quantise_mixed(source, target, sensitive=["second"]),
}

QUANTISERS = [name for name in STAGES if name not in ("optimise", "fp16")]


@pytest.mark.parametrize("stage", STAGES)
def test_writes_a_graph_that_answers_alike_and_leaves_all_else_as_it_was(
    stage: str,
    mlp: Path,
    batches: Any,
    run: Any,
    cosines: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    working, folder = tmp_path / "working", tmp_path / "folder"
    working.mkdir()
    folder.mkdir()
    monkeypatch.chdir(working)
    # As in a program that has set up no logging.
    monkeypatch.setattr(logging.root, "handlers", [])
    before = mlp.read_bytes()
    feeds = batches(16, 40)
    # As a source prepares more than a graph takes.
    more = [{**batch, "unused": batch["x"]} for batch in feeds]

    STAGES[stage](mlp, folder / "model.onnx", more)

    onnx.checker.check_model(str(folder / "model.onnx"))
    least = 0.98 if stage == "w4" else 0.999
    assert cosines(run(mlp, feeds[0]), run(folder / "model.onnx", feeds[0])).mean() > least
    assert mlp.read_bytes() == before
    assert [path.name for path in mlp.parent.iterdir()] == ["model.onnx"]
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]
    assert list(working.iterdir()) == []
    assert logging.root.handlers == []
    assert logging.root.manager.disable == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("stage", STAGES)
def test_a_failure_leaves_the_old_target_and_nothing_beside_it(
    stage: str, batches: Any, tmp_path: Path
) -> None:
    source, target = tmp_path / "broken.onnx", tmp_path / "model.onnx"
    source.write_bytes(b"not a graph")
    target.write_bytes(b"old")

    with pytest.raises(ExportError, match=r"broken\.onnx"):
        STAGES[stage](source, target, batches(16, 40))

    assert target.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"broken.onnx", "model.onnx"}


def test_a_full_disk_leaves_the_old_target_and_nothing_beside_it(mlp: Path, tmp_path: Path) -> None:
    """The file may grow to half of its size."""
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (mlp.stat().st_size // 4, hard))
    try:
        with pytest.raises(ExportError, match="File too large"):
            halve(mlp, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("stage", QUANTISERS)
def test_refuses_a_graph_without_weights_in_words(
    stage: str, trees: Path, batches: Any, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=r"the graph has no .*tree ensemble is as small"):
        STAGES[stage](trees, tmp_path / "model.onnx", batches(16, 2))

    assert list(tmp_path.iterdir()) == []


def test_fp16_refuses_a_graph_without_weights_in_words(trees: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="nothing to halve"):
        halve(trees, tmp_path / "model.onnx")


def test_products_only_stages_say_where_the_weights_are(convnet: Path, tmp_path: Path) -> None:
    """A graph whose only products are convolutions is sent elsewhere."""
    model = onnx.load(str(convnet))
    del model.graph.node[-3:]
    model.graph.output[0].name = "two.r"
    onnx.save(model, str(tmp_path / "convolutions.onnx"))

    with pytest.raises(ExportError, match="its weights are in Conv"):
        quantise_dynamic(tmp_path / "convolutions.onnx", tmp_path / "model.onnx")


@pytest.mark.parametrize("stage", [quantise_dynamic, quantise_weights, quantise_static])
def test_an_excluded_node_stays_as_it_is(
    stage: Any, mlp: Path, batches: Any, operators: Any, tmp_path: Path
) -> None:
    more = {"batches": batches(16, 40)} if stage is quantise_static else {}
    target = tmp_path / "model.onnx"

    stage(mlp, target, exclude=["second"], **more)

    model = onnx.load(str(target))
    second = next(node for node in model.graph.node if node.name == "second")
    floats = {
        tensor.name: tensor.dims
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
    }
    assert second.op_type in ("MatMul", "Gemm")
    assert list(floats[second.input[1]]) == [256, 256]
    assert sum(list(dims) in ([40, 256], [256, 40]) for dims in floats.values()) == 0


@pytest.mark.parametrize("stage", [quantise_dynamic, quantise_weights, quantise_static])
def test_an_unknown_excluded_node_is_named(
    stage: Any, mlp: Path, batches: Any, tmp_path: Path
) -> None:
    more = {"batches": batches(16, 40)} if stage is quantise_static else {}

    with pytest.raises(ConfigError, match="no node of the graph is called 'fourth'"):
        stage(mlp, tmp_path / "model.onnx", exclude=["fourth"], **more)


@pytest.mark.parametrize("bad", [{"bits": 3}, {"block_size": 48}, {"accuracy_level": 5}])
def test_weight_only_checks_its_parameters(bad: Any, mlp: Path, tmp_path: Path) -> None:
    name, value = next(iter(bad.items()))

    with pytest.raises(ConfigError, match=f"{name} .*got {value}"):
        quantise_weights(mlp, tmp_path / "model.onnx", **bad)


def test_nodes_without_names_are_told_apart(
    mlp: Path, batches: Any, run: Any, tmp_path: Path
) -> None:

    model = onnx.load(str(mlp))
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, str(tmp_path / "nameless.onnx"))

    quantise_dynamic(tmp_path / "nameless.onnx", tmp_path / "model.onnx", exclude=["Gemm#2"])

    kinds = [node.op_type for node in onnx.load(str(tmp_path / "model.onnx")).graph.node]
    assert kinds.count("MatMulInteger") == 2
    assert kinds.count("MatMul") == 1
