"""Static quantisation: methods, shapes, batch invariance."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.stages import Calibration, quantise_static


@pytest.fixture(scope="module")
def by_method(mlp: Path, batches: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("static")
    for method in get_args(Calibration):
        quantise_static(mlp, folder / f"{method}.onnx", batches=batches(64, 40), method=method)
    return {method: folder / f"{method}.onnx" for method in get_args(Calibration)}


def test_methods_find_different_ranges(by_method: dict[str, Path]) -> None:
    found = set()
    for graph in by_method.values():
        weights = onnx.load(str(graph)).graph.initializer
        scales = [onnx.numpy_helper.to_array(t) for t in weights if t.name.endswith("_scale")]
        found.add(tuple(float(scale) for scale in scales if scale.ndim == 0))

    assert len(found) == 3


def test_answers_do_not_depend_on_the_batch(
    by_method: dict[str, Path], batches: Any, run: Any
) -> None:
    feeds = batches(16, 40)[0]
    alone = {"x": feeds["x"][:1]}

    for graph in by_method.values():
        np.testing.assert_array_equal(run(graph, feeds)[:1], run(graph, alone))


def test_convolutions_are_quantised(
    convnet: Path, batches: Any, run: Any, cosines: Any, tmp_path: Path
) -> None:
    feeds = batches(8, 3, 16, 16)

    quantise_static(convnet, tmp_path / "model.onnx", batches=feeds)

    assert convnet.stat().st_size / (tmp_path / "model.onnx").stat().st_size > 2.5
    assert cosines(run(convnet, feeds[0]), run(tmp_path / "model.onnx", feeds[0])).min() > 0.99


def test_what_is_quantised_is_a_choice(
    convnet: Path, batches: Any, operators: Any, tmp_path: Path
) -> None:
    target = tmp_path / "model.onnx"

    quantise_static(convnet, target, batches=batches(8, 3, 16, 16), operators=["Gemm"])

    assert "two_DequantizeLinear" not in str(operators(target))
    stored = [t for t in onnx.load(str(target)).graph.initializer if list(t.dims)[1:] == [32, 3, 3]]
    assert [tensor.data_type for tensor in stored] == [onnx.TensorProto.FLOAT]


def test_sensitive_nodes_may_be_weight_only(
    mlp: Path, batches: Any, operators: Any, run: Any, tmp_path: Path
) -> None:
    feeds = batches(16, 40)
    target = tmp_path / "model.onnx"

    quantise_static(mlp, target, batches=feeds, weight_only=["second"])

    kinds = list(operators(target).values())
    assert kinds.count("MatMulNBits") == 1
    alone = {"x": feeds[0]["x"][:1]}
    np.testing.assert_allclose(run(target, feeds[0])[:1], run(target, alone), atol=1e-6)


def test_ragged_batches_are_refused_in_words(mlp: Path, batches: Any, tmp_path: Path) -> None:
    ragged = [*batches(16, 40), *batches(7, 40, count=1)]

    with pytest.raises(ConfigError, match=r"batch 0 is x \[16, 40\], but batch 3 is x \[7, 40\]"):
        quantise_static(mlp, tmp_path / "model.onnx", batches=ragged)


def test_no_batches_are_refused(mlp: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs calibration batches"):
        quantise_static(mlp, tmp_path / "model.onnx", batches=[])


def test_an_unknown_method_is_refused(mlp: Path, batches: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="minmax, entropy, percentile, but got 'mean'"):
        quantise_static(mlp, tmp_path / "model.onnx", batches=batches(4, 40), method="mean")  # type: ignore[arg-type]
