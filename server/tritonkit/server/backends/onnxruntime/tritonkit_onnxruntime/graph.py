"""The inputs and outputs of an ONNX graph, as onnxruntime tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import LoadError

__all__ = ["Graph", "Tensor", "format_shape", "read_graph"]

DATA_TYPES: Mapping[str, str] = {
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
"""The data types that the backend takes, by onnxruntime's name of the type."""

_KINDS: Mapping[str, str] = {
    "tensor": "ONNX_TYPE_TENSOR",
    "seq": "ONNX_TYPE_SEQUENCE",
    "map": "ONNX_TYPE_MAP",
    "opaque": "ONNX_TYPE_OPAQUE",
    "sparse_tensor": "ONNX_TYPE_SPARSETENSOR",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """
    An input or output of a graph.

    Args:
        name: Its name.
        onnx_type: onnxruntime's name of its type, such as "tensor(float)".
        shape: Dimensions, -1 where variable. Empty for a scalar, and for a
            tensor of unknown rank: onnxruntime tells no difference.
    """

    name: str
    onnx_type: str
    shape: tuple[int, ...]

    @property
    def data_type(self) -> str | None:
        """TYPE_ name of the model configuration; None where the backend takes no such type."""
        return DATA_TYPES.get(self.onnx_type)

    @property
    def batchable(self) -> bool:
        """Whether the first dimension is variable."""
        return bool(self.shape) and self.shape[0] == -1


@dataclass(frozen=True, slots=True)
class Graph:
    """
    What a graph takes and gives, by name.

    Args:
        inputs: Inputs that a run must be given.
        outputs: Outputs.
        initializers: Inputs that have a value of their own unless they are given one.
    """

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    initializers: Mapping[str, Tensor]

    @property
    def batchable(self) -> bool:
        """Whether every input and output has a variable first dimension."""
        return all(t.batchable for t in (*self.inputs.values(), *self.outputs.values()))


def read_graph(session: Any) -> Graph:
    """
    Read the graph of an InferenceSession.

    Raises:
        LoadError: If an input or output is no tensor (a sequence, a map).
    """
    return Graph(
        inputs=_tensors(session.get_inputs()),
        outputs=_tensors(session.get_outputs()),
        initializers=_tensors(session.get_overridable_initializers()),
    )


def format_shape(shape: Iterable[int]) -> str:
    """A shape as Triton writes it: [-1,16]."""
    return f"[{','.join(map(str, shape))}]"


def _tensors(nodes: Iterable[Any]) -> dict[str, Tensor]:
    tensors = {}
    for node in nodes:
        kind = _KINDS.get(node.type.partition("(")[0], "ONNX_TYPE_UNKNOWN")
        if kind != "ONNX_TYPE_TENSOR":
            raise LoadError(
                f"Unsupported ONNX Type '{kind}' for I/O '{node.name}', "
                "expected 'ONNX_TYPE_TENSOR'."
            )
        # A symbolic dimension is a str, an unknown one None.
        shape = tuple(dim if isinstance(dim, int) else -1 for dim in node.shape)
        tensors[node.name] = Tensor(node.name, node.type, shape)
    return tensors
