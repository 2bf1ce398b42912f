"""Ensembles of trees as ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tritonkit.export.graphs.opset import OPSET
from tritonkit.export.graphs.trees import Link, Trees
from tritonkit.extras import require

__all__ = ["Node", "tree_graph", "tree_nodes"]

_ML = "ai.onnx.ml"
_ML_OPSET = 3


@dataclass(frozen=True, slots=True)
class Node:
    """
    A node before it is one of onnx or skl2onnx.

    Args:
        operator: Its type.
        inputs: Names, those of constants among them.
        output: Name of its only output.
        attributes: By name.
    """

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        """Its domain of operators."""
        return _ML if self.operator.startswith("Tree") else ""


def tree_nodes(
    trees: Trees, features: str, outputs: Sequence[str], prefix: str
) -> tuple[list[Node], dict[str, Any]]:
    """
    The nodes of *trees*, and their constants.

    Args:
        trees: Whole.
        features: Name of the rows, float32 of shape (batch, columns).
        outputs: Names of what is made: label of shape (batch,) and probabilities of shape
            (batch, classes), or for a regressor predictions of shape (batch, margins).
        prefix: What names of tensors between them start with; unique in the graph.

    Returns:
        The nodes in order; and by name the constants, arrays.
    """
    predictions = outputs[-1]
    constants: dict[str, Any] = {}
    binary = bool(trees.classes) and trees.margins == 1
    last = f"{prefix}/positive" if binary else predictions
    attributes = {
        **trees.attributes,
        "n_targets": trees.margins,
        "base_values": [float(value) for value in trees.base],
        "post_transform": "NONE",
    }
    nodes = []
    if trees.zero_is_missing:
        zero, nan, zeros, rows = (f"{prefix}/{n}" for n in ("zero", "nan", "zeros", "rows"))
        constants[zero] = np.array([0], np.float32)
        constants[nan] = np.array([np.nan], np.float32)
        nodes = [
            Node("Equal", (features, zero), zeros),
            Node("Where", (zeros, nan, features), rows),
        ]
        features = rows
    margin = last if trees.link == "identity" else f"{prefix}/margin"
    nodes.append(Node("TreeEnsembleRegressor", (features,), margin, attributes))
    if trees.scale != 1.0:
        constants[f"{prefix}/scale"] = np.array([trees.scale], np.float32)
        nodes.append(Node("Mul", (margin, f"{prefix}/scale"), f"{prefix}/scaled"))
        margin = f"{prefix}/scaled"
    nodes += _link(trees.link, margin, last, prefix, constants)
    if not trees.classes:
        return nodes, constants
    if binary:
        constants[f"{prefix}/one"] = np.array([1], np.float32)
        nodes += [
            Node("Sub", (f"{prefix}/one", last), f"{prefix}/negative"),
            Node("Concat", (f"{prefix}/negative", last), predictions, {"axis": 1}),
        ]
    strings = isinstance(trees.classes[0], str)
    constants[f"{prefix}/classes"] = np.array(trees.classes, np.object_ if strings else np.int64)
    nodes += [
        Node("ArgMax", (predictions,), f"{prefix}/best", {"axis": 1, "keepdims": 0}),
        Node("Gather", (f"{prefix}/classes", f"{prefix}/best"), outputs[0], {"axis": 0}),
    ]
    return nodes, constants


def tree_graph(trees: Trees, features: str, columns: int) -> Any:
    """
    *trees* as an onnx.ModelProto of opset 17.

    Args:
        trees: Whole.
        features: Name of its input, float32 of shape (batch, columns).
        columns: How many columns a row has.
    """
    onnx = require("onnx", extra="export")
    helper, proto = onnx.helper, onnx.TensorProto
    width = len(trees.classes) or trees.margins
    outputs = [helper.make_tensor_value_info("predictions", proto.FLOAT, ["batch", width])]
    if trees.classes:
        kind = proto.STRING if isinstance(trees.classes[0], str) else proto.INT64
        outputs.insert(0, helper.make_tensor_value_info("label", kind, ["batch"]))
    nodes, constants = tree_nodes(trees, features, [o.name for o in outputs], "trees")
    graph = helper.make_graph(
        [
            helper.make_node(n.operator, n.inputs, [n.output], domain=n.domain, **n.attributes)
            for n in nodes
        ],
        "trees",
        [helper.make_tensor_value_info(features, proto.FLOAT, ["batch", columns])],
        outputs,
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(_ML, _ML_OPSET)],
        producer_name="tritonkit",
        # What opset 17 came with; a newer one stops old runtimes.
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return model


def _link(
    link: Link, margin: str, output: str, prefix: str, constants: dict[str, Any]
) -> list[Node]:
    if link == "identity":
        return []
    if link == "hinge":
        constants[f"{prefix}/zero"] = np.array([0], np.float32)
        return [
            Node("Greater", (margin, f"{prefix}/zero"), f"{prefix}/above"),
            # 1: FLOAT.
            Node("Cast", (f"{prefix}/above",), output, {"to": 1}),
        ]
    if link == "square":
        return [
            Node("Abs", (margin,), f"{prefix}/size"),
            Node("Mul", (margin, f"{prefix}/size"), output),
        ]
    if link == "softmax":
        return [Node("Softmax", (margin,), output, {"axis": 1})]
    return [Node(link.capitalize(), (margin,), output)]
