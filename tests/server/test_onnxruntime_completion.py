"""What the graph fills into a model configuration that leaves it open."""

from pathlib import Path
from typing import Any

import pytest

from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.backend_config import (
    default_max_batch_size,
    server_arguments,
)
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.completion import (
    complete,
    is_complete,
)
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.errors import LoadError
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.graph import Graph, Tensor

X = Tensor("x", "tensor(float)", (-1, 16))
Y = Tensor("y", "tensor(int64)", (-1,))
X_IO = {"name": "x", "data_type": "TYPE_FP32", "dims": [16]}
Y_IO = {"name": "y", "data_type": "TYPE_INT64", "dims": [1], "reshape": {"shape": []}}


def graph(*tensors: Tensor) -> Graph:
    *inputs, output = tensors
    return Graph({t.name: t for t in inputs}, {output.name: output}, {})


def completed(config: dict[str, Any], graph: Graph) -> dict[str, Any]:
    found, _ = complete({"name": "m", **config}, graph, default_max_batch_size=4)
    return found


def test_fills_inputs_outputs_and_batching():
    """The batch dimension is no part of dims; one value a row is [1] that reshapes to nothing."""
    assert completed({"max_batch_size": 0}, graph(X, Y)) == {
        "max_batch_size": 4,
        "dynamic_batching": {},
        "input": [X_IO],
        "output": [Y_IO],
    }


def test_63_warns_of_the_batch_size_it_chose():
    _, warnings = complete({"name": "m"}, graph(X, Y), default_max_batch_size=4)
    assert warnings == (
        "autofilled max_batch_size to 4 for model 'm' since batching is supporrted but no "
        "max_batch_size is specified in model configuration. Must specify max_batch_size to "
        "utilize autofill with a larger max batch size",
    )


def test_keeps_the_batch_size_that_is_given():
    found, warnings = complete(
        {"name": "m", "max_batch_size": 32}, graph(X, Y), default_max_batch_size=4
    )
    assert "max_batch_size" not in found
    assert warnings == ()


@pytest.mark.parametrize("scheduler", ["dynamic_batching", "sequence_batching"])
def test_keeps_the_scheduler_that_is_given(scheduler: str):
    found = completed({scheduler: {"max_queue_delay_microseconds": 1}}, graph(X, Y))
    assert "dynamic_batching" not in found


def test_a_batch_of_one_is_not_batched_dynamically():
    assert "dynamic_batching" not in completed({"max_batch_size": 1}, graph(X, Y))


@pytest.mark.parametrize(
    "tensor",
    [Tensor("x", "tensor(float)", (1, 16)), Tensor("x", "tensor(float)", ())],
    ids=["static first dimension", "scalar"],
)
def test_one_tensor_that_cannot_batch_keeps_the_model_from_it(tensor: Tensor):
    found = completed({"max_batch_size": 0}, graph(tensor, Y))
    assert found.keys() == {"input", "output"}
    assert found["input"][0]["dims"] == list(tensor.shape or (1,))
    assert found["output"][0] == {"name": "y", "data_type": "TYPE_INT64", "dims": [-1]}


def test_40_batching_that_the_graph_cannot_do_is_refused():
    with pytest.raises(LoadError) as error:
        completed({"max_batch_size": 8}, graph(Tensor("x", "tensor(float)", (1, 16)), Y))
    assert str(error.value) == (
        "autofill failed for model 'm': model does not support batching while non-zero "
        "max_batch_size is specified"
    )


def test_64_only_the_part_that_is_missing_is_filled():
    """The given part keeps its batch dimension, which the check against the graph then refuses."""
    given = {**X_IO, "dims": [-1, 16]}
    found = completed({"input": [given]}, graph(X, Y))
    assert found.keys() == {"max_batch_size", "dynamic_batching", "output"}


def test_a_type_that_the_backend_does_not_take_is_refused():
    with pytest.raises(LoadError, match=r"unsupported datatype tensor\(bfloat16\) for input 'x'"):
        completed({}, graph(Tensor("x", "tensor(bfloat16)", (-1, 2)), Y))


def test_a_default_batch_size_of_zero_leaves_batching_off():
    found, _ = complete({"name": "m"}, graph(X, Y), default_max_batch_size=0)
    assert found["max_batch_size"] == 0
    assert found["input"][0]["dims"] == [-1, 16]
    assert "dynamic_batching" not in found


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"input": [X_IO], "output": [Y_IO]}, True),
        ({"batch_input": [{}], "output": [Y_IO]}, True),
        ({"input": [X_IO], "output": []}, False),
        ({"input": [], "output": [Y_IO]}, False),
    ],
)
def test_complete_means_inputs_and_outputs(config: dict[str, Any], expected: bool):
    assert is_complete(config) is expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], 4),
        (["--backend-config=default-max-batch-size=8"], 8),
        (["--backend-config=onnxruntime,default-max-batch-size=16"], 16),
        (["--backend-config", "onnxruntime,default-max-batch-size=16"], 16),
        (["--backend-config=tensorflow,default-max-batch-size=16"], 4),
        (
            [
                "--backend-config=onnxruntime,default-max-batch-size=16",
                "--backend-config=default-max-batch-size=8",
            ],
            16,
        ),
        (["--backend-config"], 4),
    ],
)
def test_default_max_batch_size(arguments: list[str], expected: int):
    assert default_max_batch_size(["tritonserver", *arguments]) == expected


def test_a_default_max_batch_size_that_is_no_number_is_refused():
    with pytest.raises(LoadError, match="failed to convert 'many' to integral number"):
        default_max_batch_size(["--backend-config=default-max-batch-size=many"])


def test_the_arguments_of_the_server_are_those_of_the_parent():
    assert server_arguments()[0]


def test_without_a_command_line_there_are_no_arguments():
    highest = int(Path("/proc/sys/kernel/pid_max").read_text())
    assert server_arguments(highest + 1) == []
