"""One input or output of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tritonkit.repository.graph.wire import Buffer, Malformed, fields, signed, text

__all__ = ["DATA_TYPES", "GraphTensor", "read_tensor"]

DATA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "tensor(bool)": "TYPE_BOOL",
        "tensor(uint8)": "TYPE_UINT8",
        "tensor(uint16)": "TYPE_UINT16",
        "tensor(uint32)": "TYPE_UINT32",
        "tensor(uint64)": "TYPE_UINT64",
        "tensor(int8)": "TYPE_INT8",
        "tensor(int16)": "TYPE_INT16",
        "tensor(int32)": "TYPE_INT32",
        "tensor(int64)": "TYPE_INT64",
        "tensor(float16)": "TYPE_FP16",
        "tensor(float)": "TYPE_FP32",
        "tensor(double)": "TYPE_FP64",
        "tensor(string)": "TYPE_STRING",
    }
)
"""The data types that the onnxruntime backend takes, by onnxruntime's name of the type."""

# TensorProto.DataType, from 0.
# fmt: off
_ELEMENTS = (
    "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string",
    "bool", "float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16",
    "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4",
    "float4e2m1", "float8e8m0", "uint2", "int2", "float6e2m3", "float6e3m2",
)
# fmt: on
_DEEPEST_TYPE = 30


@dataclass(frozen=True, slots=True)
class GraphTensor:
    """
    An input or output of a graph.

    Args:
        name: Its name.
        onnx_type: onnxruntime's name of its type: "tensor(float)", "seq(tensor(int64))".
        shape: Sizes of the axes, -1 where variable; None where the file gives no shape and
            where it is no tensor.
        axes: Names of the axes, "" for one without a name; as many as there are sizes.
    """

    name: str
    onnx_type: str
    shape: tuple[int, ...] | None
    axes: tuple[str, ...] = ()

    @property
    def data_type(self) -> str | None:
        """TYPE_ name of the model configuration; None where the backend takes no such type."""
        return DATA_TYPES.get(self.onnx_type)

    @property
    def is_tensor(self) -> bool:
        """Whether it is a tensor, and no sequence, map, optional or sparse one."""
        return self.onnx_type.startswith("tensor(")

    @property
    def variable_first_axis(self) -> bool:
        """Whether there is a first axis, and its size is open."""
        return bool(self.shape) and self.shape is not None and self.shape[0] == -1

    @property
    def first_axis_problem(self) -> str:
        """Why it cannot batch: the end of a sentence about it, "" where it can."""
        if not self.is_tensor:
            return f"is a {self.onnx_type} and no tensor"
        if self.shape is None:
            return "has no shape in the graph"
        if not self.shape:
            return "is a scalar and has no first axis"
        return "" if self.shape[0] == -1 else f"has a first axis of fixed size {self.shape[0]}"


def read_tensor(data: Buffer, start: int, stop: int) -> GraphTensor:
    """
    Read the ValueInfoProto at bytes *start* to *stop*.

    Raises:
        Malformed: If it is none.
    """
    name, onnx_type = "", "undefined"
    shape: tuple[int, ...] | None = None
    axes: tuple[str, ...] = ()
    for tag, a, b in fields(data, start, stop):
        if tag == 0x0A:
            name = text(data, a, b)
        elif tag == 0x12:
            onnx_type, place = _type(data, a, b, 0)
            shape, axes = None, ()
            if place is not None and onnx_type.startswith("tensor("):
                shape, axes = _shape(data, *place)
    return GraphTensor(name, onnx_type, shape, axes)


def _type(data: Buffer, start: int, stop: int, depth: int) -> tuple[str, tuple[int, int] | None]:
    """The name of a TypeProto, and where the shape of a tensor is."""
    if depth > _DEEPEST_TYPE:
        raise Malformed(start, f"a type nested more than {_DEEPEST_TYPE} deep", sure=False)
    name, place = "undefined", None
    for tag, a, b in fields(data, start, stop):
        if tag == 0x0A or tag == 0x42:
            element, place = _tensor_type(data, a, b)
            name = f"{'tensor' if tag == 0x0A else 'sparse_tensor'}({element})"
        elif tag == 0x22 or tag == 0x4A:
            inner = _inner(data, a, b, 0x0A, depth)
            name, place = f"{'seq' if tag == 0x22 else 'optional'}({inner})", None
        elif tag == 0x2A:
            keys = [_element(value) for key, value, _ in fields(data, a, b) if key == 0x08]
            key_type = keys[-1] if keys else "undefined"
            name, place = f"map({key_type},{_inner(data, a, b, 0x12, depth)})", None
        elif tag == 0x3A:
            name, place = "opaque()", None
    return name, place


def _inner(data: Buffer, start: int, stop: int, wanted: int, depth: int) -> str:
    name = "undefined"
    for tag, a, b in fields(data, start, stop):
        if tag == wanted:
            name, _ = _type(data, a, b, depth + 1)
    return name


def _tensor_type(data: Buffer, start: int, stop: int) -> tuple[str, tuple[int, int] | None]:
    element, place = "undefined", None
    for tag, a, b in fields(data, start, stop):
        if tag == 0x08:
            element = _element(a)
        elif tag == 0x12:
            place = (a, b)
    return element, place


def _element(number: int) -> str:
    return _ELEMENTS[number] if number < len(_ELEMENTS) else f"type {number}"


def _shape(data: Buffer, start: int, stop: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    sizes, names = [], []
    for tag, a, b in fields(data, start, stop):
        if tag != 0x0A:
            continue
        size, name = -1, ""
        for key, value, end in fields(data, a, b):
            if key == 0x08:
                # onnxruntime takes a negative size for an open one.
                size, name = max(signed(value), -1), ""
            elif key == 0x12:
                size, name = -1, text(data, value, end)
        sizes.append(size)
        names.append(name)
    return tuple(sizes), tuple(names)
