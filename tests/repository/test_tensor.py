from __future__ import annotations

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.repository import ModelConfig, Tensor, add_tensors, config_inputs, config_outputs


def test_tensors_survive_the_config() -> None:
    tensors = (Tensor("text", "TYPE_STRING", (1,)), Tensor("ids", "TYPE_INT64", (-1, 4)))
    config = ModelConfig()
    add_tensors(config.input, tensors)
    add_tensors(config.output, tensors[:1])
    assert config_inputs(config) == tensors
    assert config_outputs(config) == tensors[:1]


@pytest.mark.parametrize(
    ("name", "data_type", "dims", "message"),
    [
        ("", "TYPE_FP32", (1,), "needs a name"),
        ("x", "FP32", (1,), "'FP32' is no data type"),
        ("x", "TYPE_FP32", (), r"dims must be .* but got \[\]"),
        ("x", "TYPE_FP32", (4, 0), r"but got \[4, 0\]"),
        ("x", "TYPE_FP32", (-2,), r"but got \[-2\]"),
    ],
)
def test_a_tensor_that_triton_refuses_is_refused(
    name: str, data_type: str, dims: tuple[int, ...], message: str
) -> None:
    with pytest.raises(RepositoryError, match=message):
        Tensor(name, data_type, dims)
