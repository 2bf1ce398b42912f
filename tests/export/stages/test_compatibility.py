"""The oldest onnxruntime and Triton that load a graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from tritonkit.export.stages import compatibility, quantise_dynamic, quantise_weights


@pytest.mark.parametrize(
    ("opset", "ir_version", "needs", "releases"),
    [
        (17, 8, "1.19", "24.10 and newer"),
        (21, 10, "1.19", "24.10 and newer"),
        (22, 10, "1.21", "25.07 and newer"),
        (23, 10, "1.23", "26.01 and newer"),
        (17, 11, "1.23", "26.01 and newer"),
        (24, 13, "1.24", "26.05 and newer"),
        (26, 8, "", "none known; it needs an onnxruntime after 1.24"),
    ],
)
def test_opset_and_ir_version_decide(
    opset: int, ir_version: int, needs: str, releases: str, mlp: Path
) -> None:
    model = onnx.load(str(mlp))
    model.opset_import[0].version = opset
    model.ir_version = ir_version

    found = compatibility(model)

    assert (found.opset, found.ir_version) == (opset, ir_version)
    assert (found.min_onnxruntime, found.triton_releases) == (needs, releases)


def test_operators_decide(bert: Path, tmp_path: Path) -> None:
    quantise_dynamic(bert, tmp_path / "int8.onnx")
    quantise_weights(bert, tmp_path / "w8.onnx")
    quantise_weights(bert, tmp_path / "w4.onnx", bits=4)

    found: dict[str, Any] = {
        name: compatibility(onnx.load(str(tmp_path / f"{name}.onnx")))
        for name in ("int8", "w8", "w4")
    }

    assert {name: one.min_onnxruntime for name, one in found.items()} == {
        "int8": "1.19",
        "w8": "1.22",
        "w4": "1.20",
    }
    assert {one.opset for one in found.values()} == {17}
    assert found["w8"].triton_releases == "25.07 and newer"
