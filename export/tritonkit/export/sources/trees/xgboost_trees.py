"""The trees of XGBoost's models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.trees import Link, Trees
from tritonkit.export.sources.trees.boosted import class_names
from tritonkit.extras import require

__all__ = ["fitted_booster", "objective", "xgboost_trees"]

_LINKS: Mapping[str, Link] = {
    "binary:hinge": "hinge",
    "binary:logistic": "sigmoid",
    "count:poisson": "exp",
    "multi:softmax": "softmax",
    "multi:softprob": "softmax",
    "rank:map": "identity",
    "rank:ndcg": "identity",
    "rank:pairwise": "identity",
    "reg:absoluteerror": "identity",
    "reg:gamma": "exp",
    "reg:logistic": "sigmoid",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
    "reg:squarederror": "identity",
    "reg:squaredlogerror": "identity",
    "reg:tweedie": "exp",
    "survival:cox": "exp",
}
_CLASSIFIERS = ("binary:", "multi:")
# XGBoost keeps probabilities this far from 0 and 1.
_LEAST = np.float32(1e-6)


def xgboost_trees(model: Any) -> Trees:
    """
    The trees of a model of XGBoost.

    A row goes left where its float32 value is below the threshold, also float32.

    Args:
        model: A Booster, or an estimator in scikit-learn's manner.

    Raises:
        ConfigError: If it is no such model, or of a kind that cannot be converted.

    Source: XGBoost, doc/model.schema, the JSON of a model.
    """
    booster = fitted_booster(model)
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    parameters, gradient = learner["learner_model_param"], learner["gradient_booster"]
    goal = objective(booster)
    if goal not in _LINKS:
        raise ConfigError(
            f"XGBoost's objective {goal} cannot be converted; {', '.join(_LINKS)} can."
        )
    if gradient["name"] not in ("gbtree", "dart"):
        raise ConfigError(
            f"XGBoost's booster {gradient['name']} cannot be converted; gbtree and dart can."
        )
    weights = gradient.get("weight_drop")
    forest = (gradient["gbtree"] if gradient["name"] == "dart" else gradient)["model"]
    if not forest["trees"]:
        raise ConfigError("the model of XGBoost has no trees; fit it with n_estimators above 0.")
    classes, targets = int(parameters["num_class"]), int(parameters["num_target"])
    if targets > 1 and goal.startswith(_CLASSIFIERS):
        raise ConfigError(
            f"the model of XGBoost answers {targets} labels a row; fit a model for each."
        )
    margins = max(1, classes, targets)
    trees = Trees(
        margins=margins,
        base=_base(parameters["base_score"], margins, _LINKS[goal]),
        link=_LINKS[goal],
        classes=class_names(model, margins) if goal.startswith(_CLASSIFIERS) else (),
    )
    for number, (tree, margin) in enumerate(zip(forest["trees"], forest["tree_info"], strict=True)):
        weight = weights[number] if weights else 1.0
        _add(trees, number, tree, margin=margin, weight=weight)
    return trees


def _add(trees: Trees, number: int, tree: Mapping[str, Any], *, margin: int, weight: float) -> None:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise ConfigError(
            "XGBoost's trees of several outputs cannot be converted; "
            "multi_strategy='one_output_per_tree' would work."
        )
    if any(tree["split_type"]):
        raise ConfigError(
            "XGBoost's categorical features cannot be converted; encode the categories as "
            "numbers, such as with scikit-learn's OneHotEncoder in a pipeline."
        )
    for node, (left, right) in enumerate(
        zip(tree["left_children"], tree["right_children"], strict=True)
    ):
        threshold = tree["split_conditions"][node]
        if left == -1:
            trees.leaf(number, node, margin=margin, weight=threshold * weight)
        else:
            trees.split(
                number,
                node,
                feature=tree["split_indices"][node],
                mode="BRANCH_LT",
                threshold=threshold,
                true=left,
                false=right,
                missing_is_true=bool(tree["default_left"][node]),
            )


def fitted_booster(model: Any) -> Any:
    """The Booster of *model*, with the trees that its library uses."""
    xgboost = require("xgboost", extra="tabular")
    best = None
    if isinstance(model, xgboost.XGBModel):
        try:
            booster = model.get_booster()
        except Exception as error:  # scikit-learn's NotFittedError
            raise ConfigError(f"{type(model).__name__} is not fitted: {error}.") from error
        if not _is_missing(model.missing):
            raise ConfigError(
                f"{type(model).__name__} takes {model.missing} for a missing value; fit it with "
                "missing=nan, and send NaN."
            )
        best = booster.attr("best_iteration")
    elif isinstance(model, xgboost.Booster):
        booster = model
        # Its estimators leave this in their files.
        if booster.attr("scikit_learn") is not None:
            best = booster.attr("best_iteration")
    else:
        raise ConfigError(
            f"{type(model).__name__} is no model of XGBoost, which are XGBClassifier, "
            "XGBRegressor, XGBRanker and Booster."
        )
    return booster if best is None else booster[: int(best) + 1]


def _is_missing(value: Any) -> bool:
    return value is None or bool(np.isnan(value))


def objective(booster: Any) -> str:
    """The name of its objective, such as "binary:logistic"."""
    return str(json.loads(booster.save_config())["learner"]["objective"]["name"])


def _base(text: str, margins: int, link: Link) -> list[float]:
    """base_score as margins, in float32 as XGBoost does; it is stored as a prediction."""
    scores = np.atleast_1d(np.array(json.loads(text), np.float32))
    with np.errstate(divide="ignore"):
        if link == "sigmoid":
            scores = np.clip(scores, _LEAST, 1 - _LEAST)
            scores = -np.log(1 / scores - 1)
        if link == "exp":
            # A poisson model of zeros alone starts at -inf, and answers 0.
            scores = np.log(scores)
    return [float(score) for score in np.broadcast_to(scores, margins)]
