"""An ONNX graph: what it takes, gives and needs, read past its weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from types import MappingProxyType

from tritonkit.errors import RepositoryError
from tritonkit.repository.graph.buffer import opened
from tritonkit.repository.graph.parts import ExternalData, Operator
from tritonkit.repository.graph.scan import Scan, scan_model
from tritonkit.repository.graph.tensor import GraphTensor
from tritonkit.repository.graph.wire import Buffer, Malformed

__all__ = ["Graph", "GraphError", "NotOnnx", "read_graph"]

_OVERRIDABLE_SINCE = 4
"""The IR version from which an initialiser that is an input too can be overridden."""

_OTHER = {
    b"version https://git-lfs": "a pointer of Git LFS, whose file was not fetched",
    b"PK\x03\x04": "a zip archive",
    b"<": "a page of markup",
}


class GraphError(RepositoryError):
    """A file is no ONNX model, or cannot be read; the message names file, byte and reason."""


class NotOnnx(GraphError):
    """
    What a file holds is no ONNX model.

    Args:
        file: The file.
        reason: Why, in words that end a sentence.
        parses: Whether it is a message, in which the graph is missing.
        sure: Whether onnxruntime refuses it too: it takes groups, which are stepped over.
    """

    def __init__(self, file: Path, reason: str, *, parses: bool, sure: bool = True) -> None:
        super().__init__(f"{file} is no ONNX model: {reason}.")
        self.file = file
        self.reason = reason
        self.parses = parses
        self.sure = sure


@dataclass(frozen=True, slots=True)
class Graph:
    """
    What a model file says of its graph.

    Shapes are those that the file declares. onnxruntime infers shapes too, and may know an
    axis of an output that the file leaves open: see `infer_outputs`.

    Args:
        path: The file.
        inputs: What a run must be given, in the graph's order.
        overridable: Inputs that have a value of their own unless they are given one.
        outputs: What it gives.
        opsets: Version by domain; ONNX's own domain is "".
        operators: The types of operators, in subgraphs and functions too.
        functions: The operators that the file itself defines.
        external_data: The files beside it that hold weights.
        ir_version: 0 where the file does not say.
        producer: Name and version of what wrote it, "" where it does not say.
        metadata: The model's own properties.
        inferred: Whether the outputs are as onnxruntime knows them once it has loaded the
            graph. Where they are not, an axis that is open here may have a size there.
    """

    path: Path
    inputs: tuple[GraphTensor, ...]
    overridable: tuple[GraphTensor, ...]
    outputs: tuple[GraphTensor, ...]
    opsets: Mapping[str, int]
    operators: frozenset[Operator]
    functions: frozenset[Operator]
    external_data: tuple[ExternalData, ...]
    ir_version: int
    producer: str
    metadata: Mapping[str, str]
    inferred: bool = False

    @property
    def batchable(self) -> bool:
        """
        Whether Triton's onnxruntime backend takes it for a model that batches.

        Every input and output must have a variable first axis.
        """
        return all(t.variable_first_axis for t in (*self.inputs, *self.outputs))

    @property
    def quantised(self) -> bool:
        """Whether it holds QuantizeLinear or DequantizeLinear (Q/DQ)."""
        return any(op.name in ("QuantizeLinear", "DequantizeLinear") for op in self.operators)


def read_graph(path: Path) -> Graph:
    """
    Read the graph of an ONNX model, and step over its weights.

    It costs what the operators cost, not what the weights weigh: some milliseconds for a
    file of gigabytes.

    Args:
        path: A model file, or a directory that holds one as `model.onnx`, which is how
            Triton takes a model with external data.

    Raises:
        GraphError: If there is no such file or it is no ONNX model; the message names the
            byte at which it went wrong.
    """
    file = path / "model.onnx" if path.is_dir() else path
    try:
        if not S_ISREG(file.stat().st_mode):
            raise GraphError(f"{file} is no file, so that there is no model in it.")
        with opened(file) as data:
            return _graph(file, _scan(file, data))
    except OSError as error:
        raise GraphError(f"{file} cannot be read: {error.strerror}.") from error


def _scan(file: Path, data: Buffer) -> Scan:
    try:
        scan = scan_model(data)
    except Malformed as error:
        start = data[:32]
        reason = next(
            (f"it is {name}" for magic, name in _OTHER.items() if start.startswith(magic)), ""
        )
        reason = reason or f"at byte {error.offset} of {len(data)} stands {error.reason}"
        raise NotOnnx(file, reason, parses=False, sure=error.sure) from error
    if not scan.has_graph:
        what = f"its {len(data)} bytes hold no graph" if len(data) else "it is empty"
        raise NotOnnx(file, what, parses=True)
    return scan


def _graph(file: Path, scan: Scan) -> Graph:
    required = [t for t in scan.inputs if t.name not in scan.initializers]
    overridable = [t for t in scan.inputs if t.name in scan.initializers]
    return Graph(
        path=file,
        inputs=tuple(required),
        overridable=tuple(overridable if scan.ir_version >= _OVERRIDABLE_SINCE else ()),
        outputs=tuple(scan.outputs),
        opsets=MappingProxyType(scan.opsets),
        operators=frozenset(scan.operators),
        functions=frozenset(scan.functions),
        external_data=tuple(
            ExternalData(location, needed, _size(file.parent, location))
            for location, needed in scan.external.items()
        ),
        ir_version=scan.ir_version,
        producer=" ".join(scan.producer).strip(),
        metadata=MappingProxyType(scan.metadata),
    )


def _size(folder: Path, location: str) -> int | None:
    # ValueError: the location holds a NUL.
    with suppress(OSError, ValueError):
        place = folder / location
        if location and place.is_file():
            return place.stat().st_size
    return None
