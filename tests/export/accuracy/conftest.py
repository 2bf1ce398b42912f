"""Tiny graphs, and a source whose own answers are NumPy's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Answers, Comparison, Converted, Feeds, Source

WIDTH, SIZE = 6, 5
WEIGHT = np.random.default_rng(3).normal(size=(WIDTH, SIZE)).astype(np.float32)


class TextLengths(Source):
    """Answers `x @ WEIGHT` by NumPy, where x is of the bytes of a text; padded to its longest."""

    kind, path, digest, role = "fake", "fake", "0" * 64, "encoder"
    versions = ()

    def __init__(
        self, comparison: Comparison, outputs: Callable[[NDArray[np.float32]], Mapping[str, Any]]
    ) -> None:
        self.comparison = comparison
        self.judged = "judged"
        self._outputs = outputs

    def builtin_samples(self) -> None:
        return None

    def convert(self, folder: Path, samples: Samples) -> Converted:
        raise NotImplementedError

    def prepare(self, samples: Samples) -> Feeds:
        rows = np.zeros((len(samples), WIDTH), np.float32)
        for row, text in zip(rows, samples.columns["text"], strict=True):
            for at, byte in enumerate(str(text).encode()):
                row[at % WIDTH] += np.sin(byte * (at + 1))
        return {"x": rows}

    def answers(self, samples: Samples) -> Answers:
        """The reference."""
        outputs = self._outputs(self.prepare(samples)["x"])
        return {name: list(output) for name, output in outputs.items()}


Graph = Callable[..., Path]


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """
    Makes a graph of the input x.

    `graph(nodes, **constants)`: nodes are (operator, inputs, output, attributes); the
    one that gives "judged" is the last.
    """

    def make(*nodes: tuple[Any, ...], **constants: NDArray[Any]) -> Path:
        made = [
            helper.make_node(operator, inputs, [output], **(attributes[0] if attributes else {}))
            for operator, inputs, output, *attributes in nodes
        ]
        model = helper.make_model(
            helper.make_graph(
                made,
                "fake",
                [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
                [helper.make_tensor_value_info("judged", TensorProto.FLOAT, None)],
                [numpy_helper.from_array(value, name) for name, value in constants.items()],
            ),
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=8,
        )
        file: Path = tmp_path_factory.mktemp("graph") / "model.onnx"
        onnx.save(model, str(file))
        return file

    return make


@pytest.fixture(scope="session")
def linear(graph: Graph) -> Path:
    """Right."""
    return graph(("MatMul", ["x", "w"], "judged"), w=WEIGHT)


@pytest.fixture(scope="session")
def softmax(graph: Graph) -> Path:
    return graph(("MatMul", ["x", "w"], "y"), ("Softmax", ["y"], "judged"), w=WEIGHT)


@pytest.fixture
def embedder() -> TextLengths:
    return TextLengths("embeddings", lambda x: {"judged": x @ WEIGHT})


@pytest.fixture
def classifier() -> TextLengths:
    def outputs(x: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        powers = np.exp(x @ WEIGHT)
        return {"judged": powers / powers.sum(axis=1, keepdims=True)}

    return TextLengths("classes", outputs)


@pytest.fixture
def regressor() -> TextLengths:
    return TextLengths("values", lambda x: {"judged": x @ WEIGHT})


@pytest.fixture(scope="session")
def samples() -> Samples:
    texts = [f"{'text ' * (n % 7)}number {n}" for n in range(40)]
    return Samples({"text": np.array(texts, np.object_)}, "test")


@pytest.fixture
def network() -> Callable[[Source, Path], Network]:
    return lambda source, file: Network(source, file, threads=1)
