"""Optimisation: what is fused, and that answers stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tritonkit.export.stages import optimise, quantise_dynamic


def test_a_transformer_is_fused_for_padding_on_either_side(
    bert: Path, batches: Any, run: Any, operators: Any, tmp_path: Path
) -> None:
    optimise(bert, tmp_path / "fused.onnx")
    feeds = batches(6, 16, kind="tokens")[0]
    feeds["attention_mask"] = feeds["attention_mask"][:, ::-1].copy()

    np.testing.assert_allclose(run(tmp_path / "fused.onnx", feeds), run(bert, feeds), atol=1e-5)
    kinds = list(operators(tmp_path / "fused.onnx").values())
    assert kinds.count("Attention") == 2
    assert kinds.count("SkipLayerNormalization") >= 4


def test_a_fused_transformer_can_be_quantised(
    bert: Path, batches: Any, run: Any, cosines: Any, operators: Any, tmp_path: Path
) -> None:
    optimise(bert, tmp_path / "fused.onnx")
    quantise_dynamic(tmp_path / "fused.onnx", tmp_path / "int8.onnx")
    feeds = batches(6, 16, kind="tokens")[0]

    kinds = list(operators(tmp_path / "int8.onnx").values())
    assert kinds.count("QAttention") == 2
    assert "MatMul" not in kinds
    assert cosines(run(tmp_path / "int8.onnx", feeds), run(bert, feeds)).min() > 0.999


def test_a_convnet_is_folded_within_onnx(
    convnet: Path, batches: Any, run: Any, operators: Any, tmp_path: Path
) -> None:
    optimise(convnet, tmp_path / "folded.onnx")
    feeds = batches(4, 3, 16, 16)[0]

    assert "BatchNormalization" not in operators(tmp_path / "folded.onnx").values()
    domains = {node.domain for node in onnx.load(str(tmp_path / "folded.onnx")).graph.node}
    assert domains <= {"", "ai.onnx"}
    np.testing.assert_allclose(
        run(tmp_path / "folded.onnx", feeds), run(convnet, feeds), rtol=1e-3, atol=1e-3
    )
