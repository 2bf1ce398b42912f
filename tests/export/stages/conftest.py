"""Graphs to work on: MiniLM, a BERT of two layers, and small ones made of a few nodes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tritonkit.export.sources.source import Converted, Feeds
from tritonkit.export.stages import Bench

CONVERT = """
import sys
import torch
from optimum.exporters.onnx import main_export
from transformers import BertConfig, BertModel

(folder,) = sys.argv[1:]
torch.manual_seed(0)
config = BertConfig(vocab_size=1000, hidden_size=64, num_hidden_layers=2,
    num_attention_heads=4, intermediate_size=128, max_position_embeddings=64)
BertModel(config).save_pretrained(f"{folder}/bert_source")
main_export(f"{folder}/bert_source", output=f"{folder}/bert", task="feature-extraction",
    library_name="transformers", device="cpu", opset=17, do_validation=False)
"""


@pytest.fixture(scope="session")
def minilm_graph(minilm_converted: Converted) -> Path:
    """MiniLM's encoder."""
    return minilm_converted.graph


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of two layers with random weights."""
    folder = tmp_path_factory.mktemp("converted")
    subprocess.run(
        [sys.executable, "-c", CONVERT, str(folder)],
        check=True,
        capture_output=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "TMPDIR": str(folder)},
    )
    return folder / "bert" / "model.onnx"


@pytest.fixture(scope="session")
def mlp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three Gemms, the names of which are first, second and third; 40 values to 10."""
    rng = np.random.default_rng(0)
    sizes = {"first": (40, 256), "second": (256, 256), "third": (256, 10)}
    nodes, weights, value = [], [], "x"
    for name, (rows, columns) in sizes.items():
        # As torch exports a linear layer.
        weights += [
            _weight(f"{name}.weight", rng.normal(size=(columns, rows)) / np.sqrt(rows)),
            _weight(f"{name}.bias", rng.normal(size=columns)),
        ]
        result = f"{name}.out" if name != "third" else "y"
        nodes.append(
            helper.make_node(
                "Gemm", [value, f"{name}.weight", f"{name}.bias"], [result], name, transB=1
            )
        )
        value = result
        if name != "third":
            nodes.append(helper.make_node("Relu", [result], [f"{name}.relu"], f"{name}_relu"))
            value = f"{name}.relu"
    return _graph(tmp_path_factory.mktemp("mlp"), nodes, weights, ["n", 40], ["n", 10])


@pytest.fixture(scope="session")
def convnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions, each with its batch normalisation, pooling and a small Gemm."""
    rng = np.random.default_rng(0)
    nodes, weights, value = [], [], "x"
    for name, before, after in (("one", 3, 32), ("two", 32, 64)):
        weights += [
            _weight(f"{name}.weight", rng.normal(size=(after, before, 3, 3)) / before),
            *(
                _weight(f"{name}.{part}", rng.uniform(0.5, 1.5, size=after))
                for part in ("scale", "bias", "mean", "variance")
            ),
        ]
        nodes += [
            helper.make_node(
                "Conv", [value, f"{name}.weight"], [f"{name}.c"], name, pads=[1, 1, 1, 1]
            ),
            helper.make_node(
                "BatchNormalization",
                [f"{name}.{part}" for part in ("c", "scale", "bias", "mean", "variance")],
                [f"{name}.n"],
                f"{name}_norm",
            ),
            helper.make_node("Relu", [f"{name}.n"], [f"{name}.r"], f"{name}_relu"),
        ]
        value = f"{name}.r"
    weights.append(_weight("last", rng.normal(size=(64, 10))))
    nodes += [
        helper.make_node("GlobalAveragePool", [value], ["pooled"], "pool"),
        helper.make_node("Flatten", ["pooled"], ["flat"], "flatten"),
        helper.make_node("Gemm", ["flat", "last"], ["y"], "classes"),
    ]
    return _graph(tmp_path_factory.mktemp("convnet"), nodes, weights, ["n", 3, 16, 16], ["n", 10])


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree ensemble of one leaf."""
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_featureids=[0],
        nodes_modes=["LEAF"],
        nodes_nodeids=[0],
        nodes_treeids=[0],
        nodes_values=[0.0],
        nodes_truenodeids=[0],
        nodes_falsenodeids=[0],
        target_ids=[0],
        target_nodeids=[0],
        target_treeids=[0],
        target_weights=[1.0],
    )
    return _graph(tmp_path_factory.mktemp("trees"), [node], [], ["n", 2], ["n", 1])


@pytest.fixture(scope="session")
def batches() -> Callable[..., list[Feeds]]:
    """Makes batches for `bert` (kind "tokens"), or random values of *shape*."""

    def make(*shape: int, kind: str = "values", count: int = 3, seed: int = 0) -> list[Feeds]:
        rng = np.random.default_rng(seed)
        if kind == "values":
            return [{"x": rng.normal(size=shape).astype(np.float32)} for _ in range(count)]
        made: list[Feeds] = []
        for _ in range(count):
            ids = rng.integers(5, 1000, shape)
            lengths = rng.integers(1, shape[1] + 1, shape[0])
            # One row as long as the batch, else the mask would not be needed.
            lengths[0] = shape[1]
            mask = (np.arange(shape[1]) < lengths[:, None]).astype(np.int64)
            made.append(
                {
                    "input_ids": ids * mask,
                    "attention_mask": mask,
                    "token_type_ids": np.zeros_like(ids),
                }
            )
        return made

    return make


@pytest.fixture(scope="session")
def run() -> Callable[[Path, Feeds], NDArray[np.float32]]:
    """The first output of a graph, one vector a row; rows of tokens are averaged."""

    # One after the other is asked; the last is not loaded again for each row.
    @lru_cache(maxsize=1)
    def load(graph: Path, _written: int) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def run(graph: Path, feeds: Feeds) -> NDArray[np.float32]:
        session = load(graph, graph.stat().st_mtime_ns)
        taken = {tensor.name for tensor in session.get_inputs()}
        fed = {name: array for name, array in feeds.items() if name in taken}
        result: NDArray[np.float32] = session.run(None, fed)[0]
        if "attention_mask" not in feeds:
            return result
        mask = feeds["attention_mask"][:, :, None].astype(np.float32)
        pooled: NDArray[np.float32] = (result * mask).sum(1) / np.maximum(mask.sum(1), 1)
        return pooled

    return run


@pytest.fixture(scope="session")
def cosines() -> Callable[..., NDArray[np.float32]]:
    """Row by row."""

    def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)  # type: ignore[no-any-return]

    return cosines


@pytest.fixture
def bench(run: Callable[..., NDArray[np.float32]], tmp_path: Path) -> Callable[..., Bench]:
    """Makes a bench for a graph, with the mean difference as its loss."""

    def make(graph: Path, calibration: Sequence[Feeds]) -> Bench:
        feeds = calibration[0]
        reference = run(graph, feeds)
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        return Bench(
            graph=graph,
            calibration=calibration,
            loss=lambda path: float(np.abs(run(path, feeds) - reference).mean()),
            scratch=scratch,
        )

    return make


@pytest.fixture(scope="session")
def operators() -> Callable[[Path], dict[str, str]]:
    """Operator types of a graph's nodes, by name."""

    def of(graph: Path) -> dict[str, str]:
        return {node.name: node.op_type for node in onnx.load(str(graph)).graph.node}

    return of


def _weight(name: str, values: NDArray[Any]) -> Any:
    return numpy_helper.from_array(values.astype(np.float32), name)


def _graph(
    folder: Path, nodes: list[Any], weights: list[Any], before: list[Any], after: list[Any]
) -> Path:
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, before)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, after)],
            weights,
        ),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
    )
    onnx.save(model, str(folder / "model.onnx"))
    return folder / "model.onnx"
