from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto, helper, save

from tritonkit.export import Budget, ServingOptions
from tritonkit.export.plan import make_plan
from tritonkit.export.sources.onnx_file import OnnxFile


@pytest.mark.parametrize(
    ("given", "auto"),
    [
        (Budget(), Budget(max_loss=0.01)),
        (Budget(batch_invariant=True), Budget(max_loss=0.01, batch_invariant=True)),
        (Budget(max_loss=0.2), Budget(max_loss=0.2)),
        (Budget(min_agreement=0.97), Budget(min_agreement=0.97)),
    ],
)
def test_only_auto_has_a_limit_that_nobody_set(given: Budget, auto: Budget, tmp_path: Path) -> None:
    """A family of auto and int8 must not fail because int8 loses more than auto may."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2]) for name in ("x", "y")
    ]
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph([node], "graph", values[:1], values[1:])
    opsets = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    plan = make_plan(
        OnnxFile(tmp_path / "m.onnx"),
        tmp_path / "repository",
        name="m",
        variants=("auto", "int8"),
        samples=None,
        samples_path="",
        task=None,
        allow_pickle=False,
        budget=given,
        objective="speed",
        time_budget=1,
        options=ServingOptions(),
        model_version=None,
        force=False,
    )
    assert plan.budget_of("auto") == auto
    assert plan.budget_of("int8") == given
