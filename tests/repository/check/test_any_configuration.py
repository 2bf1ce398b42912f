"""Whatever a configuration says, the rules find what they find, and none of them fails."""

from __future__ import annotations

import random
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests.repository.check.onnx_files import graph
from tests.repository.text.test_edit import _message

from tritonkit.repository import ModelConfig
from tritonkit.repository.check.check import check
from tritonkit.repository.check.fix.plan import plan_fixes

NAMES = ["../../x", "/", "x" * 300, "\0", "m", "$$TRITON_MODEL_DIRECTORY/..", "\n", "\ud7ff"]
EXTREMES: dict[int, list[Any]] = {
    FieldDescriptor.CPPTYPE_INT32: [-(2**31), 2**31 - 1],
    FieldDescriptor.CPPTYPE_INT64: [-(2**63), 2**63 - 1],
    FieldDescriptor.CPPTYPE_UINT32: [2**32 - 1],
    FieldDescriptor.CPPTYPE_UINT64: [2**64 - 1],
    FieldDescriptor.CPPTYPE_FLOAT: [float("inf"), float("nan"), -0.0],
    FieldDescriptor.CPPTYPE_DOUBLE: [float("inf"), float("nan"), -0.0],
    FieldDescriptor.CPPTYPE_ENUM: [99, -1, 2**31 - 1],
    FieldDescriptor.CPPTYPE_STRING: NAMES,
    FieldDescriptor.CPPTYPE_BOOL: [True],
}


def _spoil(message: Any, rng: random.Random) -> None:
    """Put extremes in the place of some values, as far down as they go."""
    for field, value in message.ListFields():
        if field.message_type is None:
            if rng.random() < 0.3:
                extreme = rng.choice(EXTREMES[field.cpp_type])
                if field.is_repeated:
                    value[0] = extreme
                else:
                    setattr(message, field.name, extreme)
        elif field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for inner in value.values():
                    _spoil(inner, rng)
        else:
            for inner in value if field.is_repeated else [value]:
                _spoil(inner, rng)


@seed(9)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_no_rule_fails(tmp_path_factory: pytest.TempPathFactory, rng: random.Random) -> None:
    config = _message(ModelConfig(), rng, depth=4)
    config.backend = rng.choice(["onnxruntime", "python", "tensorrt", ""])
    if rng.random() < 0.5:
        config.name, config.platform = "m", ""
    _spoil(config, rng)
    version = tmp_path_factory.mktemp("any") / "model_repository" / "m" / "1"
    version.mkdir(parents=True)
    (version.parent / "config.pbtxt").write_text(str(config), newline="")
    model = graph("(float[b,4] x) => (float[b,4] y) { y = Identity(x) }")
    (version / "model.onnx").write_bytes(model)

    report = check(version.parents[1])

    plan_fixes(report.findings).diff()
    assert all(finding.found.message for finding in report.findings)
