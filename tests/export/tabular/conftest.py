"""Rows of numbers and of mixed columns, and a source's answers beside its graph's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Source

Stacked: TypeAlias = dict[str, NDArray[Any]]
Answer: TypeAlias = Callable[[Source, Samples], tuple[Stacked, Stacked]]


@pytest.fixture
def answer(tmp_path: Path) -> Answer:
    """The library's answers and the finished graph's, each stacked, by output."""

    def run(source: Source, samples: Samples) -> tuple[Stacked, Stacked]:
        import onnx

        folder = tmp_path / "converted"
        folder.mkdir(exist_ok=True)
        converted = source.convert(folder, samples)
        model = source.finish(onnx.load(str(converted.graph)))
        onnx.checker.check_model(model, full_check=True)
        assert {o.domain: o.version for o in model.opset_import}[""] == 17
        for value in (*model.graph.input, *model.graph.output):
            first, *others = value.type.tensor_type.shape.dim
            assert first.dim_param == "batch_size", value.name
            assert all(size.dim_value > 0 for size in others), value.name
            assert len(others) == 1, value.name
        graph = tmp_path / "finished.onnx"
        onnx.save(model, str(graph))
        given = Network(source, graph, threads=1).answer(samples, batch_size=7)
        assert list(given) == list(converted.reference)
        return (
            {name: np.stack(rows) for name, rows in converted.reference.items()},
            {name: np.stack(rows) for name, rows in given.items()},
        )

    return run


@pytest.fixture(scope="session")
def rows() -> NDArray[np.float64]:
    """400 rows of 5 numbers."""
    return np.random.default_rng(0).normal(size=(400, 5))


@pytest.fixture(scope="session")
def gaps(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows, a tenth of whose values is missing."""
    missing = np.random.default_rng(1).random(rows.shape) < 0.1
    return np.where(missing, np.nan, rows)


@pytest.fixture(scope="session")
def frame(rows: NDArray[np.float64]) -> Any:
    """400 rows of a text column, one of whole numbers, and two of numbers."""
    import pandas

    generator = np.random.default_rng(2)
    return pandas.DataFrame(
        {
            "city": np.array(["Bern", "Oslo", "Zürich"], object)[generator.integers(0, 3, 400)],
            "hour": generator.integers(0, 24, 400),
            "amount": np.exp(rows[:, 0]) * 50,
            "distance": rows[:, 1],
        }
    ).astype({"city": object})


@pytest.fixture(scope="session")
def mixed(frame: Any) -> Samples:
    """The frame as samples."""
    return Samples({name: frame[name].to_numpy() for name in frame.columns}, "rows.csv")
