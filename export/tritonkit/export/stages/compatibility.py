"""Where a graph runs: the oldest onnxruntime and Triton that load it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tritonkit.export.stages.operators import attribute
from tritonkit.repository.graph.loads import ONNXRUNTIMES, Loads, Version

__all__ = ["Compatibility", "compatibility"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """
    What a graph needs.

    Args:
        opset: Of ONNX's own operators.
        ir_version: Of the file.
        min_onnxruntime: The oldest version of those known that loads it, such as "1.22";
            empty where none of them does.
        triton_releases: Which releases of Triton carry it or a newer one, in words.
    """

    opset: int
    ir_version: int
    min_onnxruntime: str
    triton_releases: str


def compatibility(model: Any) -> Compatibility:
    """
    What *model* (an onnx.ModelProto) needs, by its opsets, IR version and operators.

    Operators are looked at as far as onnxruntime has added to its own since 1.19; what
    export writes was loaded by these versions, what others wrote was not.
    """
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    least = max((_least(node) for node in _nodes(model.graph)), default=(0,))
    for version, loads in ONNXRUNTIMES.items():
        if version >= least and _loads(loads, opsets, model.ir_version):
            return Compatibility(
                opset=opsets.get("ai.onnx", 0),
                ir_version=model.ir_version,
                min_onnxruntime=".".join(map(str, version)),
                triton_releases=f"{loads.triton} and newer",
            )
    newest = ".".join(map(str, max(ONNXRUNTIMES)))
    return Compatibility(
        opset=opsets.get("ai.onnx", 0),
        ir_version=model.ir_version,
        min_onnxruntime="",
        triton_releases=f"none known; it needs an onnxruntime after {newest}",
    )


def _loads(loads: Loads, opsets: dict[str, int], ir_version: int) -> bool:
    return (
        opsets.get("ai.onnx", 0) <= loads.opset
        and opsets.get("ai.onnx.ml", 0) <= loads.ml_opset
        and ir_version <= loads.ir_version
    )


def _least(node: Any) -> Version:
    if node.op_type == "MatMulNBits" and attribute(node, "bits", 4) == 8:
        return (1, 22)
    if node.op_type == "GatherBlockQuantized":
        return (1, 20)
    return (0,)


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for candidate in node.attribute:
            if candidate.HasField("g"):
                yield from _nodes(candidate.g)
            for inner in candidate.graphs:
                yield from _nodes(inner)
