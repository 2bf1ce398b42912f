"""The rows of "config against the ONNX graph": one test a row, with Triton's text."""

import re
from typing import Any

import pytest

from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.checks import check_config
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.errors import LoadError
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.graph import Graph, Tensor

Shapes = dict[str, tuple[str, tuple[int, ...]]]


def graph(inputs: Shapes, outputs: Shapes, initializers: Shapes | None = None) -> Graph:
    def tensors(shapes: Shapes) -> dict[str, Tensor]:
        return {n: Tensor(n, f"tensor({t})", shape) for n, (t, shape) in shapes.items()}

    return Graph(tensors(inputs), tensors(outputs), tensors(initializers or {}))


def io(name: str, dims: tuple[int, ...], data_type: str = "FP32", **more: Any) -> dict[str, Any]:
    return {"name": name, "data_type": f"TYPE_{data_type}", "dims": list(dims), **more}


def config(**fields: Any) -> dict[str, Any]:
    return {
        "name": "m",
        "max_batch_size": 8,
        "input": [io("x", (16,))],
        "output": [io("y", (4,))],
        **fields,
    }


GRAPH = graph({"x": ("float", (-1, 16))}, {"y": ("float", (-1, 4))})


def refused(config: dict[str, Any], graph: Graph) -> str:
    with pytest.raises(LoadError) as error:
        check_config(config, graph)
    return str(error.value)


def test_accepts_what_fits():
    check_config(config(), GRAPH)


def test_40_batching_needs_a_variable_first_input_dimension():
    fixed = graph({"x": ("float", (1, 16))}, {"y": ("float", (-1, 4))})
    assert refused(config(), fixed) == (
        "model 'm', tensor 'x': for the model to support batching the shape should have at least "
        "1 dimension and the first dimension must be -1; but shape expected by the model is [1,16]"
    )


def test_40_batching_needs_a_variable_first_output_dimension():
    fixed = graph({"x": ("float", (-1, 16))}, {"y": ("float", (1, 4))})
    assert "tensor 'y': for the model to support batching" in refused(config(), fixed)


def test_41_rank_differs_with_batching():
    assert refused(config(input=[io("x", (1, 16))]), GRAPH) == (
        "model 'm', tensor 'x': the model expects 2 dimensions (shape [-1,16]) but the model "
        "configuration specifies 3 dimensions (an initial batch dimension because max_batch_size "
        "> 0 followed by the explicit tensor shape, making complete shape [-1,1,16])"
    )


def test_41_rank_differs_without_batching():
    assert refused(config(max_batch_size=0, input=[io("x", (16,))]), GRAPH) == (
        "model 'm', tensor 'x': the model expects 2 dimensions (shape [-1,16]) but the model "
        "configuration specifies 1 dimensions (shape [16])"
    )


@pytest.mark.parametrize(("row", "dims"), [(42, (15,)), (43, (-1,))])
def test_42_43_a_static_dimension_must_be_the_same(row: int, dims: tuple[int, ...]):
    text = refused(config(input=[io("x", dims)]), GRAPH)
    assert "tensor 'x': the model expects 2 dimensions (shape [-1,16])" in text
    assert f"making complete shape [-1,{dims[0]}])" in text


def test_44_a_variable_input_may_be_narrowed():
    variable = graph({"x": ("float", (-1, -1))}, {"y": ("float", (-1, 4))})
    check_config(config(), variable)


def test_44_a_variable_output_may_not_be_narrowed():
    variable = graph({"x": ("float", (-1, 16))}, {"y": ("float", (-1, -1))})
    assert refused(config(), variable) == (
        "model 'm', tensor 'y': the model expects 2 dimensions (shape [-1,-1]) but the model "
        "configuration specifies 2 dimensions (an initial batch dimension because max_batch_size "
        "> 0 followed by the explicit tensor shape, making complete shape [-1,4])"
    )


@pytest.mark.parametrize("names", [["x", "z"], []])
def test_45_number_of_inputs(names: list[str]):
    given = config(input=[io(name, (16,)) for name in names])
    assert refused(given, GRAPH) == (
        f"unable to load model 'm', configuration expects {len(names)} inputs, model provides 1"
    )


def test_46_unknown_input_lists_the_known_ones_sorted():
    two = graph({"b": ("float", (-1, 16)), "a": ("float", (-1, 16))}, {"y": ("float", (-1, 4))})
    given = config(input=[io("a", (16,)), io("c", (16,))])
    assert refused(given, two) == "unexpected inference input 'c', allowed inputs are: a, b"


def test_47_unknown_output_lists_the_known_ones():
    given = config(output=[io("z", (4,))])
    assert refused(given, GRAPH) == "unexpected inference output 'z', allowed outputs are: y"


def test_48_fewer_outputs_than_the_graph_are_enough():
    two = graph({"x": ("float", (-1, 16))}, {"y": ("float", (-1, 4)), "z": ("float", (-1, 4))})
    check_config(config(), two)


@pytest.mark.parametrize(("side", "name"), [("input", "x"), ("output", "y")])
def test_49_data_type_differs(side: str, name: str):
    given = config(**{side: [io(name, (16,) if side == "input" else (4,), "INT32")]})
    assert refused(given, GRAPH) == (
        f"unable to load model 'm', configuration expects datatype TYPE_INT32 for {side} "
        f"'{name}', model provides TYPE_FP32"
    )


@pytest.mark.parametrize(
    ("onnx_type", "provided"), [("string", "TYPE_BYTES"), ("bfloat16", "TYPE_<invalid>")]
)
def test_49_names_the_type_of_the_model_as_triton_does(onnx_type: str, provided: str):
    other = graph({"x": (onnx_type, (-1, 16))}, {"y": ("float", (-1, 4))})
    assert refused(config(), other).endswith(f"model provides {provided}")


def test_33_bf16_is_refused():
    bf16 = graph({"x": ("bfloat16", (-1, 16))}, {"y": ("float", (-1, 4))})
    given = config(input=[io("x", (16,), "BF16")])
    assert refused(given, bf16) == "unsupported datatype TYPE_BF16 for input 'x' for model 'm'"


@pytest.mark.parametrize("side", ["input", "output"])
def test_50_a_scalar_takes_ones_only(side: str):
    scalar = graph({"x": ("float", ())}, {"y": ("float", ())})
    ones = {"input": [io("x", (1,))], "output": [io("y", (1, 1))]}
    check_config(config(max_batch_size=0, **ones), scalar)
    name = "x" if side == "input" else "y"
    given = config(max_batch_size=0, **{**ones, side: [io(name, (2, 1))]})
    assert refused(given, scalar) == (
        f"unable to load model 'm', scalar tensor '{name}', should only provide 1 in the model "
        "configuration when the model doesn't support batching. Model configuration provided: "
        "[2,1]."
    )


def test_51_a_ragged_input_must_be_flat():
    given = config(input=[io("x", (16,), allow_ragged_batch=True)])
    assert refused(given, GRAPH) == (
        "unable to load model 'm', configuration expects model provides input with shape [-1]  "
        "for ragged input 'x', model provides [-1,16]"
    )
    flat = graph({"x": ("float", (-1,))}, {"y": ("float", (-1, 4))})
    check_config(given, flat)


def test_51_a_ragged_input_is_not_optional():
    given = config(max_batch_size=0, input=[io("w", (-1,), optional=True, allow_ragged_batch=True)])
    initializer = graph({}, {"y": ("float", (-1, 4))}, {"w": ("float", (-1,))})
    assert refused(given, initializer).endswith(
        "with shape [-1] for ragged input 'w', which is not supported for optional input"
    )


def test_31_optional_inputs_do_not_batch():
    initializer = graph(
        {"x": ("float", (-1, 16))}, {"y": ("float", (-1, 4))}, {"w": ("float", (-1, 16))}
    )
    inputs = [io("x", (16,)), io("w", (16,), optional=True)]
    assert refused(config(input=inputs), initializer) == (
        "unable to load model 'm', optional input 'w' is not supported for models that support "
        "batching"
    )
    flat = [io("x", (-1, 16)), io("w", (-1, 16), optional=True)]
    check_config(config(max_batch_size=0, input=flat, output=[io("y", (-1, 4))]), initializer)


def test_reshape_stands_for_dims():
    flat = graph({"x": ("float", (-1, 16))}, {"y": ("float", (-1,))})
    check_config(config(output=[io("y", (1,), reshape={"shape": []})]), flat)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_output", [{"kind": "BATCH_SCATTER_WITH_INPUT_SHAPE"}]),
        ("sequence_batching", {"state": [{"input_name": "a"}]}),
        ("model_transaction_policy", {"decoupled": True}),
    ],
)
def test_what_a_python_backend_cannot_do_is_refused(field: str, value: Any):
    text = refused(config(**{field: value}), GRAPH)
    assert re.search(rf"'{field}[a-z.]*' is not supported by the onnxruntime backend", text)


START = "CONTROL_SEQUENCE_START"
CORRID = "CONTROL_SEQUENCE_CORRID"
WITH_START = graph({"x": ("float", (-1, 16)), "s": ("int32", (-1, 1))}, {"y": ("float", (-1, 4))})


def controls(*inputs: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    entries = [{"name": name, "control": [control]} for name, control in inputs]
    return config(sequence_batching={"control_input": entries})


def test_sequence_controls_count_as_inputs():
    check_config(controls(("s", {"kind": START, "int32_false_true": [0, 1]})), WITH_START)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            controls(("", {"kind": START})),
            "sequence batching control tensor must have a name for m",
        ),
        (
            controls(("s", {"kind": START, "int32_false_true": [0, 1]}), ("s", {"kind": CORRID})),
            "sequence batching control tensor 's' is specified for multiple control kinds for m",
        ),
        (
            controls(
                ("s", {"kind": START, "int32_false_true": [0, 1]}),
                ("t", {"kind": START, "int32_false_true": [0, 1]}),
            ),
            "sequence batching specifies multiple CONTROL_SEQUENCE_START tensors for m",
        ),
        (
            controls(("s", {"kind": START})),
            "sequence batching must specify either 'int32_false_true', 'fp32_false_true' or "
            "'bool_false_true' for CONTROL_SEQUENCE_START for m",
        ),
        (
            controls(("s", {"kind": START, "int32_false_true": [0, 1], "fp32_false_true": [0, 1]})),
            "sequence batching specifies more than one from 'int32_false_true', "
            "'fp32_false_true' and 'bool_false_true' for CONTROL_SEQUENCE_START for m",
        ),
        (
            controls(("s", {"kind": START, "int32_false_true": [1]})),
            "sequence batching control 'int32_false_true' must have exactly 2 entries for "
            "CONTROL_SEQUENCE_START for m",
        ),
        (
            controls(("s", {"kind": CORRID, "int32_false_true": [0, 1]})),
            "sequence batching must not specify either 'int32_false_true', 'fp32_false_true' or "
            "'bool_false_true' for CONTROL_SEQUENCE_CORRID for m",
        ),
        (
            controls(("q", {"kind": START, "int32_false_true": [0, 1]})),
            "configuration specified sequence control 'q', but model does not provide that input",
        ),
        (
            controls(("x", {"kind": START, "int32_false_true": [0, 1]})),
            "unable to load model 'm', sequence control 'x' in model has dims [16] but dims [1] "
            "is expected",
        ),
        (
            controls(("s", {"kind": START, "fp32_false_true": [0, 1]})),
            "unable to load model 'm', sequence control 's', the model expects data-type INT32 "
            "but the model configuration specifies data-type TYPE_FP32",
        ),
    ],
)
def test_90_sequence_controls_are_checked(given: dict[str, Any], text: str):
    assert refused(given, WITH_START) == text
