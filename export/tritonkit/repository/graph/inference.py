"""Shapes of outputs that a file leaves open and onnxruntime knows nevertheless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tritonkit.repository.graph.buffer import opened
from tritonkit.repository.graph.graph import Graph
from tritonkit.repository.graph.tensor import GraphTensor
from tritonkit.repository.graph.wire import Buffer, Malformed, fields

__all__ = ["infer_outputs", "settled"]

_GRAPH, _INITIALIZER = 0x3A, 0x2A
_CONTENT = frozenset({0x22, 0x25, 0x2A, 0x28, 0x32, 0x3A, 0x38, 0x4A, 0x52, 0x51, 0x5A, 0x58})
"""Tags of the fields of a TensorProto that hold values, packed or one by one."""

_LARGEST_BYTES = 32 << 20
"""Of a graph without its large weights; a larger one is left as it is declared."""

_LARGE_WEIGHT_BYTES = 4096
"""Of values that decide no shape."""


def infer_outputs(graph: Graph) -> Graph:
    """
    Fill in the sizes of outputs that follow from the graph, as onnxruntime does when it loads it.

    It needs the `onnx` library, and only where something may follow. Operators that `onnx` does
    not know, such as onnxruntime's own, leave open what comes after them; and where sizes are
    computed in the graph itself, the two need not get equally far.

    Returns:
        The graph, with `inferred` true where the outputs are sure to be onnxruntime's;
        *graph* itself where `onnx` is not installed or makes nothing of it.
    """
    if graph.inferred:
        return graph
    if settled(graph):
        return replace(graph, inferred=True)
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import shape_inference
    except ImportError:
        return graph
    try:
        with opened(graph.path) as data:
            content = _without_weights(data)
        if len(content) > _LARGEST_BYTES:
            return graph
        model = onnx.load_model_from_string(content)
        for output in model.graph.output:
            if output.type.WhichOneof("value") == "tensor_type":
                output.type.tensor_type.ClearField("shape")
        plain = _shapes(shape_inference.infer_shapes(model))
        # onnxruntime follows the values of shapes too, but not as far as onnx can.
        far = plain
        if any(shape is None or -1 in shape for shape in plain.values()):
            far = _shapes(shape_inference.infer_shapes(model, data_prop=True))
    except (
        DecodeError,
        Malformed,
        OSError,
        RuntimeError,
        ValueError,
        shape_inference.InferenceError,
    ):
        return graph
    outputs = tuple(_merged(tensor, plain.get(tensor.name)) for tensor in graph.outputs)
    sure = all(
        # What comes out of an operator that onnx does not know may have a shape all the same.
        (plain.get(t.name) is not None and plain[t.name] == far.get(t.name))
        or (t.shape is not None and -1 not in t.shape)
        for t in graph.outputs
        if t.is_tensor
    )
    return replace(graph, outputs=outputs, inferred=sure)


def settled(graph: Graph) -> bool:
    """
    Whether nothing can be inferred that is not declared, so that `onnx` is not needed.

    So it is where the one open axis of each output is the first, and has the name of the
    first axis of an input. A size that contradicts the graph's operators is believed then;
    onnxruntime warns of it, and takes it for open.
    """
    batch = {t.axes[0] for t in graph.inputs if t.axes and t.axes[0]}
    return all(
        not tensor.is_tensor
        or (
            tensor.shape is not None
            and -1 not in tensor.shape[1:]
            and (tensor.shape[:1] != (-1,) or tensor.axes[0] in batch)
        )
        for tensor in graph.outputs
    )


def _shapes(model: Any) -> dict[str, tuple[int, ...] | None]:
    """The shapes of a model's outputs that are tensors, by name."""
    return {
        output.name: _shape(output.type.tensor_type)
        for output in model.graph.output
        if output.type.WhichOneof("value") == "tensor_type"
    }


def _shape(kind: Any) -> tuple[int, ...] | None:
    """The sizes of a TypeProto.Tensor."""
    if not kind.HasField("shape"):
        return None
    return tuple(
        max(dim.dim_value, -1) if dim.HasField("dim_value") else -1 for dim in kind.shape.dim
    )


def _merged(declared: GraphTensor, found: tuple[int, ...] | None) -> GraphTensor:
    """What onnxruntime makes of a shape that is declared and one that follows from the graph."""
    if found is None or not declared.is_tensor:
        return declared
    if declared.shape is None:
        return replace(declared, shape=found, axes=("",) * len(found))
    if len(declared.shape) != len(found):
        # It gives up both.
        return replace(declared, shape=None, axes=())
    sizes, axes = [], []
    for size, other, axis in zip(declared.shape, found, declared.axes, strict=True):
        clash = size >= 0 and other >= 0 and size != other
        sizes.append(-1 if clash else max(size, other))
        axes.append(axis if sizes[-1] < 0 else "")
    return replace(declared, shape=tuple(sizes), axes=tuple(axes))


def _without_weights(data: Buffer) -> bytes:
    """The model without the content of large initialisers."""
    out = bytearray()
    for tag, a, b in fields(data, 0, len(data)):
        if tag == _GRAPH:
            inner = bytearray()
            for piece in _graph_pieces(data, a, b):
                inner += piece
            out += _message(tag, inner)
        else:
            out += _field(data, tag, a, b)
    return bytes(out)


def _graph_pieces(data: Buffer, start: int, stop: int) -> Iterator[bytes]:
    for tag, a, b in fields(data, start, stop):
        if tag == _INITIALIZER and b - a > _LARGE_WEIGHT_BYTES:
            kept = (
                _field(data, key, c, d) for key, c, d in fields(data, a, b) if key not in _CONTENT
            )
            yield _message(tag, b"".join(kept))
        else:
            yield _field(data, tag, a, b)


def _field(data: Buffer, tag: int, a: int, b: int) -> bytes:
    return _varint(tag) + _varint(a) if tag & 7 == 0 else _message(tag, data[a:b])


def _message(tag: int, content: bytes | bytearray) -> bytes:
    return _varint(tag) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
