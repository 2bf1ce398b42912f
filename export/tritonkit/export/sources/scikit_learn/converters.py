"""Converters that skl2onnx lacks, or has in a way that changes answers or stops."""

from __future__ import annotations

import copy
import sys
from functools import partial
from typing import Any

import numpy as np

from tritonkit.export.graphs.opset import OPSET
from tritonkit.export.graphs.tree_graph import tree_nodes
from tritonkit.export.graphs.trees import Trees
from tritonkit.export.sources.trees.histogram_trees import histogram_trees
from tritonkit.export.sources.trees.lightgbm_trees import lightgbm_trees
from tritonkit.export.sources.trees.xgboost_trees import xgboost_trees
from tritonkit.extras import require

__all__ = ["OPSETS", "add_converters"]

OPSETS = {"": OPSET, "ai.onnx.ml": 3}
"""By domain, the opset of what skl2onnx makes."""

_BOOSTED = {
    "xgboost": ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"),
    "lightgbm": ("LGBMClassifier", "LGBMRegressor"),
    "sklearn.ensemble": ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
}
_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}


def add_converters(sparse: frozenset[int]) -> None:
    """
    Teach skl2onnx estimators of XGBoost and LightGBM, if they are in use, and to do others well.

    Args:
        sparse: Ids of the estimators of XGBoost that are given sparse matrices. It takes
            what those leave out, zeros, for missing.
    """
    skl2onnx = require("skl2onnx", extra="tabular")
    shapes = require("skl2onnx.common.shape_calculator", extra="tabular")
    for module, names in _BOOSTED.items():
        if module not in sys.modules:
            continue
        for name in names:
            classifier = name.endswith("Classifier")
            skl2onnx.update_registered_converter(
                getattr(sys.modules[module], name),
                f"Tritonkit{name}",
                shapes.calculate_linear_classifier_output_shapes
                if classifier
                else shapes.calculate_linear_regressor_output_shapes,
                partial(_add_trees, sparse),
                options=_OPTIONS if classifier else None,
            )
    preprocessing = require("sklearn.preprocessing", extra="tabular")
    for scaler in (preprocessing.StandardScaler, preprocessing.RobustScaler):
        skl2onnx.update_registered_converter(
            scaler,
            f"Tritonkit{scaler.__name__}",
            require(
                "skl2onnx.shape_calculators.scaler", extra="tabular"
            ).calculate_sklearn_scaler_output_shapes,
            _add_scaler,
        )
    skl2onnx.update_registered_converter(
        require("sklearn.ensemble", extra="tabular").VotingClassifier,
        "TritonkitVotingClassifier",
        shapes.calculate_linear_classifier_output_shapes,
        _add_votes,
        options=_OPTIONS,
    )


def _add_votes(scope: Any, operator: Any, container: Any) -> None:
    """A converter of skl2onnx: its own, which stops at settings that touch no probability."""
    voting = require("skl2onnx.operator_converters.voting_classifier", extra="tabular")
    model = operator.raw_operator = copy.copy(operator.raw_operator)
    model.flatten_transform = False
    if model.weights is not None:
        model.weights = np.asarray(model.weights)
    voting.convert_voting_classifier(scope, operator, container)


def _add_scaler(scope: Any, operator: Any, container: Any) -> None:
    """
    A converter of skl2onnx: in float64, as scikit-learn scales.

    Trees behind it compare to values of the rows that they were fitted on; one that is off by
    a rounding takes the other branch.
    """
    proto = require("onnx", extra="export").TensorProto
    common = require("skl2onnx.operator_converters.common", extra="tabular")
    model = operator.raw_operator
    centre = getattr(model, "mean_" if hasattr(model, "mean_") else "center_")
    columns = model.n_features_in_
    # StandardScaler tells a mean that it does not take away.
    centred = getattr(model, "with_mean", True) and centre is not None
    steps = (
        ("Sub", centre if centred else np.zeros(columns)),
        ("Div", np.ones(columns) if model.scale_ is None else model.scale_),
    )
    value = operator.inputs[0].full_name
    if len(operator.inputs) > 1:
        value = common.concatenate_variables(scope, operator.inputs, container)

    def add(operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        name = scope.get_unique_operator_name(operation)
        container.add_node(operation, inputs, [output], name=name, **attributes)
        return output

    value = add("Cast", [value], scope.get_unique_variable_name("rows"), to=proto.DOUBLE)
    for operation, constants in steps:
        constant = scope.get_unique_variable_name(operation)
        container.add_initializer(constant, proto.DOUBLE, [columns], list(map(float, constants)))
        value = add(operation, [value, constant], scope.get_unique_variable_name("rows"))
    add("Cast", [value], operator.outputs[0].full_name, to=proto.FLOAT)


def _add_trees(sparse: frozenset[int], scope: Any, operator: Any, container: Any) -> None:
    """A converter of skl2onnx."""
    proto = require("onnx", extra="export").TensorProto
    features = scope.get_unique_variable_name("features")
    container.add_node(
        "Cast",
        [operator.inputs[0].full_name],
        [features],
        name=scope.get_unique_operator_name("Cast"),
        to=proto.FLOAT,
    )
    trees = _trees(operator.raw_operator)
    trees.zero_is_missing = id(operator.raw_operator) in sparse
    nodes, constants = tree_nodes(
        trees,
        features,
        [output.full_name for output in operator.outputs],
        scope.get_unique_variable_name("trees"),
    )
    for name, array in constants.items():
        kind = {"f": proto.FLOAT, "i": proto.INT64, "O": proto.STRING}[array.dtype.kind]
        values = [v.encode() if isinstance(v, str) else v for v in array.tolist()]
        container.add_initializer(name, kind, list(array.shape), values)
    for node in nodes:
        container.add_node(
            node.operator,
            list(node.inputs),
            [node.output],
            op_domain=node.domain,
            op_version=OPSETS[node.domain],
            name=scope.get_unique_operator_name(node.operator),
            **node.attributes,
        )


def _trees(model: Any) -> Trees:
    if type(model).__module__.startswith("xgboost"):
        return xgboost_trees(model)
    if type(model).__module__.startswith("lightgbm"):
        return lightgbm_trees(model)
    return histogram_trees(model)
