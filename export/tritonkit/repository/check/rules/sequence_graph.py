"""The sequence batcher's control inputs and states against those of the graph."""

from __future__ import annotations

from collections.abc import Iterator

from tritonkit.repository.check.data_type import data_type_name
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.rules.sequence import CORRELATION_ID, Control, first_controls
from tritonkit.repository.check.subject import Subject

__all__ = ["control_differs_from_graph", "state_differs_from_graph"]

_VALUE_TYPES = {
    "int32_false_true": "TYPE_INT32",
    "fp32_false_true": "TYPE_FP32",
    "bool_false_true": "TYPE_BOOL",
}
# As NVIDIA's backend names onnxruntime's types in this one message.
_ONNX_NAMES = {"TYPE_FP16": "FLOAT16", "TYPE_FP32": "FLOAT", "TYPE_FP64": "DOUBLE"}


@rule("TK090", "control-differs-from-graph", Severity.ERROR, "a control input unlike the graph's")
def control_differs_from_graph(model: Subject) -> Iterator[Found]:
    """
    The sequence batcher writes one value a request into a control input.

    The graph must have an input of that name, of shape [1] without the batch axis, and of
    the type of the control's values, or of data_type for the correlation id.
    """
    if model.graph is None or model.backend != "onnxruntime":
        return
    tensors = {tensor.name: tensor for tensor in model.graph.inputs}
    for control in first_controls(model):
        where = f"unable to load model '{model.name}', sequence control '{control.tensor}'"
        tensor = tensors.get(control.tensor)
        place = control.path[:3]
        if tensor is None:
            yield Found(
                (*place, "name"),
                message=f"The graph has no input {control.tensor!r} for {control.kind}.",
                advice=f"Use one of its inputs: {', '.join(sorted(tensors))}.",
                triton=f"configuration specified sequence control '{control.tensor}', but model "
                "does not provide that input",
                tensor=control.tensor,
                value=control.tensor,
            )
            continue
        shape = tensor.shape or ()
        dims = shape[1:] if model.config.max_batch_size > 0 else shape
        written = f"[{','.join(map(str, dims))}]"
        if dims != (1,):
            yield Found(
                (*place, "name"),
                message=f"Input {control.tensor!r} of the graph has dims {written}; a control "
                "input has [1].",
                advice="Use an input of one element a row, or export the graph with one.",
                triton=f"{where} in model has dims {written} but dims [1] is expected",
                tensor=control.tensor,
                value=written,
            )
        data_type = _data_type(control)
        if data_type and data_type != tensor.data_type:
            expected = tensor.data_type or "UNDEFINED"
            known = _ONNX_NAMES.get(expected, expected.removeprefix("TYPE_"))
            yield Found(
                control.path,
                message=f"{control.kind} is {data_type}, and input {control.tensor!r} of the "
                f"graph is {expected}.",
                advice=f"Give the control as {expected}.",
                triton=f"{where}, the model expects data-type {known} but the model "
                f"configuration specifies data-type {data_type}",
                tensor=control.tensor,
                value=data_type,
            )


@rule("TK173", "state-differs-from-graph", Severity.REQUEST, "a state unlike the graph's")
def state_differs_from_graph(model: Subject) -> Iterator[Found]:
    """
    A state goes into the graph by the input input_name, and comes out of the output output_name.

    Triton loads the model whatever these are, and onnxruntime refuses each request where the
    graph has none of the name, or another data type.
    """
    if model.graph is None or model.backend != "onnxruntime":
        return
    known = {
        "input": {
            tensor.name: tensor for tensor in (*model.graph.inputs, *model.graph.overridable)
        },
        "output": {tensor.name: tensor for tensor in model.graph.outputs},
    }
    for index, state in enumerate(model.given.sequence_batching.state):
        path = ("sequence_batching", "state", index)
        given = data_type_name(state.data_type)
        for side, name in (("input", state.input_name), ("output", state.output_name)):
            tensor = known[side].get(name)
            if tensor is None:
                yield Found(
                    (*path, f"{side}_name"),
                    message=f"The graph has no {side} {name!r} for state {index}."
                    if name
                    else f"State {index} has no {side}_name.",
                    advice=f"Use one of its {side}s: {', '.join(sorted(known[side]))}.",
                    tensor=name,
                    value=name,
                )
            elif tensor.data_type not in (None, given):
                yield Found(
                    (*path, "data_type"),
                    message=f"State {index} is {given}, and {side} {name!r} of the graph is "
                    f"{tensor.data_type}.",
                    advice=f"Write data_type: {tensor.data_type}.",
                    tensor=name,
                    value=given,
                )


def _data_type(control: Control) -> str:
    """What the batcher writes; empty where the control does not say it."""
    if control.kind == CORRELATION_ID:
        return data_type_name(control.control.data_type)
    return _VALUE_TYPES[control.values[0]] if len(control.values) == 1 else ""
