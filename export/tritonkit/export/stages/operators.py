"""The nodes of a graph that hold its weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from tritonkit.errors import ConfigError, ExportError
from tritonkit.extras import require

__all__ = [
    "attribute",
    "drop_unused_weights",
    "embedding_tables",
    "floats",
    "require_nodes",
    "require_weights",
    "weighted_nodes",
]

# Where an operator's weight is among its inputs.
_WEIGHT = {"MatMul": 1, "Gemm": 1, "Conv": 1, "Attention": 1}

# A smaller table, such as that of token types, is not worth two more nodes.
_MIN_TABLE = 4096


def weighted_nodes(
    model: Any, operators: Sequence[str] = ("MatMul", "Gemm", "Conv")
) -> dict[str, str]:
    """
    Operator types of the nodes with a constant FP32 weight, by name, in graph order.

    Args:
        model: onnx.ModelProto.
        operators: Those that are asked for.
    """
    weights = floats(model)
    return {
        node.name: node.op_type
        for node in model.graph.node
        if node.op_type in operators
        and node.op_type in _WEIGHT
        and len(node.input) > _WEIGHT[node.op_type]
        and node.input[_WEIGHT[node.op_type]] in weights
    }


def embedding_tables(model: Any, *, exclude: Collection[str] = ()) -> list[str]:
    """
    Names of the FP32 tables of rows that Gather looks up, and nothing else reads.

    Args:
        model: onnx.ModelProto.
        exclude: Names of nodes whose tables do not count.
    """
    weights = floats(model)
    uses = Counter(name for node in model.graph.node for name in node.input)
    lookups = Counter(
        node.input[0]
        for node in model.graph.node
        if node.op_type == "Gather" and attribute(node, "axis", 0) == 0 and node.name not in exclude
    )
    outputs = {output.name for output in model.graph.output}
    return [
        name
        for name, count in lookups.items()
        if name in weights
        and count == uses[name]
        and name not in outputs
        and len(weights[name].dims) == 2
        and weights[name].dims[0] * weights[name].dims[1] >= _MIN_TABLE
    ]


def require_weights(
    model: Any, operators: Sequence[str] = ("MatMul", "Gemm", "Conv"), *, tables: bool = False
) -> None:
    """
    Refuse a graph that has nothing to quantise.

    Args:
        model: onnx.ModelProto.
        operators: Those that could be quantised.
        tables: Whether an embedding table alone is something to quantise.

    Raises:
        ExportError: If none of *operators* has a constant weight.
    """
    if weighted_nodes(model, operators) or (tables and embedding_tables(model)):
        return
    *most, last = operators
    wanted = f"{', '.join(most)} or {last}" if most else last
    present = {node.op_type for node in model.graph.node}
    message = f"the graph has no {wanted} with constant weights, so there is nothing to quantise"
    if any(kind.startswith("TreeEnsemble") for kind in present):
        message += "; a tree ensemble is as small as it gets"
    elif found := sorted({*weighted_nodes(model).values()} - {*operators}):
        message += f"; its weights are in {' and '.join(found)}"
    raise ExportError(f"{message}.")


def require_nodes(model: Any, names: Collection[str]) -> None:
    """
    Refuse names of nodes that *model* does not have.

    Raises:
        ConfigError: If one of *names* is no node's.
    """
    if unknown := sorted({*names} - {node.name for node in model.graph.node}):
        raise ConfigError(f"no node of the graph is called {', '.join(map(repr, unknown))}.")


def floats(model: Any) -> dict[str, Any]:
    """The FP32 initialisers (onnx.TensorProto) of *model*, by name."""
    onnx = require("onnx", extra="export")
    return {
        tensor.name: tensor
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
    }


def attribute(node: Any, name: str, default: Any) -> Any:
    """An attribute of an onnx.NodeProto, *default* where it is not set."""
    onnx = require("onnx", extra="export")
    for candidate in node.attribute:
        if candidate.name == name:
            return onnx.helper.get_attribute_value(candidate)
    return default


def drop_unused_weights(model: Any) -> Any:
    """
    Remove the initialisers that no node reads.

    Args:
        model: onnx.ModelProto; it is changed.
    """
    used = {output.name for output in model.graph.output}
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        for node in graph.node:
            used.update(node.input)
            for candidate in node.attribute:
                graphs += [candidate.g, *candidate.graphs]
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model
