"""The trees of scikit-learn's HistGradientBoosting models."""

from __future__ import annotations

from typing import Any

import numpy as np

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.trees import Link, Trees, float32_at_most
from tritonkit.export.sources.trees.boosted import class_names

__all__ = ["histogram_trees"]

_LINKS: dict[str, Link] = {
    "IdentityLink": "identity",
    "LogLink": "exp",
    "LogitLink": "sigmoid",
    "MultinomialLogit": "softmax",
}


def histogram_trees(model: Any) -> Trees:
    """
    The trees of a model; skl2onnx leaves out its categories and the exp of its links.

    Args:
        model: A fitted HistGradientBoostingClassifier or HistGradientBoostingRegressor.

    Raises:
        ConfigError: If it has categorical features.

    Source: scikit-learn, sklearn/ensemble/_hist_gradient_boosting/predictor.py
    """
    if np.any(model.is_categorical_):
        raise ConfigError(
            f"the categorical features of {type(model).__name__} cannot be converted; encode them "
            "with a OneHotEncoder in front, or fit with categorical_features=None."
        )
    margins = int(model.n_trees_per_iteration_)
    trees = Trees(
        margins=margins,
        base=[float(value) for value in np.ravel(model._baseline_prediction)],
        link=_LINKS[type(model._loss.link).__name__],
        classes=class_names(model, margins) if hasattr(model, "classes_") else (),
    )
    predictors = [one for iteration in model._predictors for one in iteration]
    for tree, predictor in enumerate(predictors):
        for node, content in enumerate(predictor.nodes):
            if content["is_leaf"]:
                weight = float(content["value"])
                trees.leaf(tree, node, margin=tree % margins, weight=weight)
                continue
            trees.split(
                tree,
                node,
                feature=int(content["feature_idx"]),
                mode="BRANCH_LEQ",
                threshold=float32_at_most(float(content["num_threshold"])),
                true=int(content["left"]),
                false=int(content["right"]),
                missing_is_true=bool(content["missing_go_to_left"]),
            )
    return trees
