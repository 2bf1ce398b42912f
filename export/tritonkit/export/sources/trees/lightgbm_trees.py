"""The trees of LightGBM's models."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.trees import Link, Trees, float32_at_most
from tritonkit.export.sources.trees.boosted import class_names
from tritonkit.extras import require

__all__ = ["fitted_booster", "lightgbm_trees"]

_LINKS: Mapping[str, Link] = {
    "binary": "sigmoid",
    "cross_entropy": "sigmoid",
    "fair": "identity",
    "gamma": "exp",
    "huber": "identity",
    "lambdarank": "identity",
    "mape": "identity",
    "multiclass": "softmax",
    "multiclassova": "sigmoid",
    "poisson": "exp",
    "quantile": "identity",
    "rank_xendcg": "identity",
    "regression": "identity",
    "regression_l1": "identity",
    "tweedie": "exp",
}
_CLASSIFIERS = ("binary", "multiclass", "multiclassova")


def lightgbm_trees(model: Any) -> Trees:
    """
    The trees of a model of LightGBM.

    A row goes left where its value is at most the threshold. Thresholds are float64; the
    largest float32 that is not above one decides the same for every float32 value.

    Args:
        model: A Booster, or an estimator in scikit-learn's manner.

    Raises:
        ConfigError: If it is no such model, or of a kind that cannot be converted.
    """
    content = fitted_booster(model).dump_model()
    objective, *settings = content.get("objective", "").split() or ["regression"]
    values = dict(setting.split(":") for setting in settings if ":" in setting)
    if objective not in _LINKS:
        raise ConfigError(
            f"LightGBM's objective {objective} cannot be converted; {', '.join(_LINKS)} can."
        )
    if any(content["pandas_categorical"] or ()):
        raise ConfigError(
            "LightGBM's categories of pandas cannot be converted: a client would have to know "
            "their codes; fit on columns of whole numbers, named in categorical_feature."
        )
    margins = int(content["num_tree_per_iteration"])
    trees = Trees(
        margins=margins,
        base=[0.0] * margins,
        link="square" if "sqrt" in settings else _LINKS[objective],
        scale=float(values.get("sigmoid", 1.0)),
        classes=class_names(model, margins) if objective in _CLASSIFIERS else (),
    )
    # A random forest's answer is the mean of its trees.
    share = margins / len(content["tree_info"]) if content["average_output"] else 1.0
    for number, tree in enumerate(content["tree_info"]):
        _add(trees, number, tree["tree_structure"], margin=number % margins, weight=share)
    return trees


def _add(trees: Trees, number: int, root: Mapping[str, Any], *, margin: int, weight: float) -> None:
    numbers = itertools.count()
    waiting = [(next(numbers), root)]
    while waiting:
        node, content = waiting.pop()
        if "leaf_value" in content:
            if content.get("leaf_coeff"):
                raise ConfigError(
                    "LightGBM's linear trees cannot be converted; linear_tree=False would work."
                )
            trees.leaf(number, node, margin=margin, weight=content["leaf_value"] * weight)
            continue
        left, right = next(numbers), next(numbers)
        waiting += [(left, content["left_child"]), (right, content["right_child"])]
        for at, mode, threshold, missing, true, false in _tests(
            content, node, left, right, numbers
        ):
            trees.split(
                number,
                at,
                feature=content["split_feature"],
                mode=mode,
                threshold=threshold,
                true=true,
                false=false,
                missing_is_true=missing,
            )


def _tests(
    content: Mapping[str, Any], node: int, left: int, right: int, numbers: Iterator[int]
) -> Iterator[tuple[int, str, float, bool, int, int]]:
    """The nodes of one split: number, mode, threshold, whether NaN is true, true, false."""
    if content["decision_type"] == "==":
        yield from _runs(content["threshold"], node, left, right, numbers)
        return
    if content["missing_type"] == "Zero":
        raise ConfigError(
            "LightGBM's zero_as_missing cannot be converted; fit with NaN for missing values."
        )
    threshold = float(content["threshold"])
    # A model that saw no missing value takes NaN for 0.
    missing = content["default_left"] if content["missing_type"] == "NaN" else threshold >= 0
    yield node, "BRANCH_LEQ", float32_at_most(threshold), bool(missing), left, right


def _runs(
    categories: str, node: int, left: int, right: int, numbers: Iterator[int]
) -> Iterator[tuple[int, str, float, bool, int, int]]:
    """
    Whether a value is one of *categories*, without its fraction, as LightGBM takes it.

    Two comparisons for each run of categories without a gap, in rising order: below it is
    right, below its end is left. NaN is below neither.
    """
    known = sorted(int(one) for one in categories.split("||"))
    firsts = [one for one in known if one - 1 not in known]
    ends = [one + 1 for one in known if one + 1 not in known]
    for first, end in zip(firsts, ends, strict=True):
        inside, following = next(numbers), next(numbers) if end != ends[-1] else right
        # -0.5 is 0 without its fraction.
        mode, least = ("BRANCH_LEQ", -1.0) if first == 0 else ("BRANCH_LT", float(first))
        yield node, mode, least, False, right, inside
        yield inside, "BRANCH_LT", float(end), False, left, following
        node = following


def fitted_booster(model: Any) -> Any:
    """
    The Booster of *model*, or itself.

    Raises:
        ConfigError: If it is no model of LightGBM, or not fitted.
    """
    lightgbm = require("lightgbm", extra="tabular")
    if isinstance(model, lightgbm.Booster):
        return model
    if isinstance(model, lightgbm.LGBMModel):
        try:
            return model.booster_
        except Exception as error:  # LightGBM's NotFittedError
            raise ConfigError(f"{type(model).__name__} is not fitted: {error}.") from error
    raise ConfigError(
        f"{type(model).__name__} is no model of LightGBM, which are LGBMClassifier, "
        "LGBMRegressor, LGBMRanker and Booster."
    )
