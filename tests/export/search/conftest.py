"""Candidates by their figures, and a source of two layers that needs no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tritonkit.export.accuracy.accuracy import Accuracy, BatchDependence
from tritonkit.export.samples.samples import Samples
from tritonkit.export.search.candidate import Candidate, Speed
from tritonkit.export.sources.source import Converted, Feeds, Source
from tritonkit.export.stages.recipe import Bench, Recipe

WIDTH, DIMENSION = 16, 8


@pytest.fixture(scope="session")
def candidate() -> Callable[..., Candidate]:
    """Makes a candidate; fp32 has 1,000 bytes and an MRR of 0.5."""

    def make(
        recipe: str,
        *,
        size: int = 1000,
        faster: float = 1.0,
        loss: float = 0.0,
        cosine: float = 1.0,
        agreement: float = 1.0,
        invariant: bool = True,
        error: float = 0.0,
        alone: float | None = None,
    ) -> Candidate:
        return Candidate(
            recipe=recipe,
            precision=recipe.partition(" ")[0],
            summary="",
            graph=Path(f"{recipe}.onnx"),
            size_bytes=size,
            times_smaller=1000 / size,
            accuracy=Accuracy(
                metric="MRR",
                value=0.5 * (1 - loss),
                source_value=0.5,
                agreement=agreement,
                cosine_mean=cosine,
                cosine_min=cosine,
                figures={},
                outputs={},
                batch=BatchDependence(
                    cosine_min=1.0 if invariant else 0.98,
                    max_difference=0.0,
                    agreement=1.0,
                    invariant=invariant,
                ),
                worst=(),
                score="cosine",
                samples=10,
                origin="built-in",
            ),
            speed=Speed(
                rows_per_second={1: 100.0, 32: 1000.0 * faster},
                times_faster={1: faster if alone is None else alone, 32: faster},
                error={1: error, 32: error},
            ),
        )

    return make


class Rows(Source):
    """Vectors in, embeddings out: a graph of one MatMul."""

    kind = "rows"
    path = ""
    name = "rows"
    digest = "0" * 64
    role = "encoder"
    comparison = "embeddings"
    judged = "embedding"
    versions = ()

    def builtin_samples(self) -> Samples | None:
        return None

    def convert(self, folder: Path, samples: Samples) -> Converted:
        graph = folder / "rows.onnx"
        weights = np.random.default_rng(0).normal(size=(WIDTH, DIMENSION)).astype(np.float32)
        onnx.save(graph_of(weights), str(graph))
        return Converted(graph, {"embedding": list(samples.columns["x"] @ weights)})

    def prepare(self, samples: Samples) -> Feeds:
        return {"x": samples.columns["x"]}


def graph_of(weights: NDArray[np.float32]) -> Any:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["embedding"])],
        "rows",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSION])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="session")
def rows() -> type[Rows]:
    """The source; tests may derive from it."""
    return Rows


@dataclass(frozen=True)
class Change(Recipe):
    """The graph as it is, or what *change* makes of it."""

    called: str
    change: Callable[[Any], Any] = lambda model: model

    @property
    def name(self) -> str:
        return self.called

    @property
    def precision(self) -> str:
        return self.called.partition(" ")[0]

    @property
    def summary(self) -> str:
        return "changed by a test"

    def apply(self, bench: Bench, target: Path) -> None:
        onnx.save(self.change(onnx.load(str(bench.graph))), str(target))


@pytest.fixture(scope="session")
def change() -> type[Change]:
    """The recipe of these tests."""
    return Change


@pytest.fixture(scope="session")
def noisy() -> Callable[[float], Callable[[Any], Any]]:
    """A change of the weights by chance, of so many standard deviations."""

    def make(deviations: float) -> Callable[[Any], Any]:
        def change(model: Any) -> Any:
            (weights,) = model.graph.initializer
            values = numpy_helper.to_array(weights)
            noise = np.random.default_rng(1).normal(size=values.shape).astype(np.float32)
            weights.CopyFrom(numpy_helper.from_array(values + deviations * noise, weights.name))
            return model

        return change

    return make


@pytest.fixture(scope="session")
def batch_dependent() -> Callable[[Any], Any]:
    """A change that takes the mean of the batch off each row's embedding."""

    def change(model: Any) -> Any:
        (node,) = model.graph.node
        node.output[0] = "raw"
        model.graph.node.extend(
            [
                helper.make_node("ReduceMean", ["raw"], ["mean"], axes=[0], keepdims=1),
                helper.make_node("Constant", [], ["half"], value_float=0.5),
                helper.make_node("Mul", ["mean", "half"], ["part"]),
                helper.make_node("Sub", ["raw", "part"], ["embedding"]),
            ]
        )
        return model

    return change


@pytest.fixture(scope="session")
def rows_source() -> Rows:
    """One of these sources."""
    return Rows()


@pytest.fixture(scope="session")
def samples() -> Samples:
    """60 vectors."""
    values = np.random.default_rng(2).normal(size=(60, WIDTH)).astype(np.float32)
    return Samples({"x": values}, "made up")


@dataclass(frozen=True)
class Bed:
    """What `try_recipes` takes beside recipes."""

    source: Source
    bench: Bench
    given: Mapping[str, Any]


@pytest.fixture
def bed(tmp_path: Path, rows_source: Rows, samples: Samples) -> Bed:
    """A converted source, and folders."""
    for name in ("converted", "scratch", "graphs"):
        (tmp_path / name).mkdir()
    converted = rows_source.convert(tmp_path / "converted", samples)
    bench = Bench(
        graph=converted.graph,
        calibration=[],
        loss=lambda _: 0.0,
        scratch=tmp_path / "scratch",
    )
    return Bed(
        rows_source,
        bench,
        {
            "samples": samples,
            "reference": converted.reference,
            "folder": tmp_path / "graphs",
            "threads": 1,
            "seconds": 0.01,
        },
    )
