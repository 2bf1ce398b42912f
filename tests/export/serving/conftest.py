"""A source of our own protocol, out of parts that a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import onnx
import pytest
from onnx import parser

from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Converted, Feeds, Part, Source
from tritonkit.repository import Tensor

# Letters to numbers: one id for each letter, padded with 0.
TOKENIZER = """\
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse(self.encode(request)) for request in requests]

    def encode(self, request):
        texts = pb_utils.get_input_tensor_by_name(request, "text").as_numpy()[:, 0]
        lengths = np.array([[len(text)] for text in texts])
        ids = np.zeros((len(texts), 4), np.int64)
        for row, text in zip(ids, texts):
            row[: len(text)] = list(text)
        return [
            pb_utils.Tensor("ids", ids),
            pb_utils.Tensor("mask", (ids > 0).astype(np.int64)),
            pb_utils.Tensor("length", lengths),
        ]
"""

# The sum of the graph, as words, and how long the text was where that is an input.
SPEAKER = """\
import json

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.word = json.loads(args["model_config"])["parameters"]["word"]["string_value"]

    def execute(self, requests):
        return [pb_utils.InferenceResponse([self.speak(request)]) for request in requests]

    def speak(self, request):
        total = pb_utils.get_input_tensor_by_name(request, "total").as_numpy()
        words = [f"{self.word} {t:.0f}" for t in total[:, 0]]
        length = pb_utils.get_input_tensor_by_name(request, "length")
        if length is not None:
            words = [f"{word} of {n}" for word, n in zip(words, length.as_numpy()[:, 0])]
        words = [word.encode() for word in words]
        return pb_utils.Tensor("words", np.array(words, object)[:, None])
"""

IDS = Tensor("ids", "TYPE_INT64", (-1,))
MASK = Tensor("mask", "TYPE_INT64", (-1,))
LENGTH = Tensor("length", "TYPE_INT64", (1,))

BEFORE = Part(
    role="tokenizer",
    inputs=(Tensor("text", "TYPE_STRING", (1,)),),
    outputs=(IDS, MASK, LENGTH),
    files={"model.py": TOKENIZER.encode()},
)
AFTER = Part(
    role="speaker",
    inputs=(Tensor("total", "TYPE_FP32", (1,)), LENGTH),
    outputs=(Tensor("words", "TYPE_STRING", (1,)),),
    files={"model.py": SPEAKER.encode()},
    parameters={"word": "sum"},
)

GRAPHS = {
    # The sum of what is not masked.
    "sum": """g (int64[b,n] ids, int64[b,n] mask) => (float[b,1] total) {
        seen = Mul(ids, mask) axis = Constant <value = int64[1] {1}> ()
        added = ReduceSum<keepdims=1>(seen, axis) total = Cast<to=1>(added) }""",
    "softmax": """g (float[b,3] x) => (float[b,3] probabilities) {
        probabilities = Softmax<axis=1>(x) }""",
    "double": "g (float[b,2] x) => (float[b,2] y) { y = Add(x, x) }",
    "negative": "g (float[b,2] x) => (float[b,2] y) { y = Neg(x) }",
    "table": """g (int64[b,1] x) => (float[b,1] y) <float[2] rows = {5, 7}> {
        y = Gather(rows, x) }""",
    "strings": "g (string[b,1] x) => (string[b,1] y) { y = Identity(x) }",
    "whole": "g (float[2,2] x) => (float[2,2] y) { y = Neg(x) }",
}


class FakeSource(Source):
    kind = "fake"
    path = "fake"
    name = "fake"
    digest = "0" * 64
    role = "adder"
    comparison = "values"
    judged = "total"
    versions: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        *,
        before: Part | None = None,
        after: Part | None = None,
        passed_on: tuple[str, ...] = (),
        labels: tuple[str, ...] = (),
        batched: bool = True,
        sizes: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self._before, self._after, self._passed_on = before, after, passed_on
        self._labels, self._batched, self._sizes = labels, batched, sizes or {}

    def builtin_samples(self) -> Samples | None:
        return None

    def convert(self, folder: Path, samples: Samples) -> Converted:
        raise NotImplementedError

    def prepare(self, samples: Samples) -> Feeds:
        raise NotImplementedError

    @property
    def before(self) -> Part | None:
        return self._before

    @property
    def after(self) -> Part | None:
        return self._after

    @property
    def passed_on(self) -> tuple[str, ...]:
        return self._passed_on

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    @property
    def batched(self) -> bool:
        return self._batched

    @property
    def needed_input_sizes(self) -> Mapping[str, tuple[int, ...]]:
        return self._sizes


@pytest.fixture
def tokenizer() -> Part:
    """Gives ids, mask and length."""
    return BEFORE


@pytest.fixture
def speaker() -> Part:
    """Takes total and length, gives words; reads the parameter "word"."""
    return AFTER


@pytest.fixture
def make_source() -> Callable[..., Source]:
    """Makes a source of the parts and properties given by name."""
    return FakeSource


@pytest.fixture
def make_graph(tmp_path: Path) -> Callable[[str], Path]:
    """Writes one of the graphs: sum, softmax, double, negative, table, strings, whole."""

    def make(name: str) -> Path:
        file = tmp_path / f"{name}.onnx"
        model: Any = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>{GRAPHS[name]}')
        onnx.save(model, file)
        return file

    return make
