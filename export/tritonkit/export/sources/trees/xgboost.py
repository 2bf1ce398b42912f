"""XGBoost models: gradient-boosted trees from .json, .ubj, or memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.trees import Trees
from tritonkit.export.sources.tabular.child import answer_parent
from tritonkit.export.sources.trees.boosted import Boosted
from tritonkit.export.sources.trees.xgboost_trees import fitted_booster, objective, xgboost_trees
from tritonkit.extras import require

__all__ = ["XGBoost"]

# Such as "[11:04:49] /workspace/src/common/json.cc:409: ".
_PLACE = re.compile(r"^(\[[\d:]+\] )?(\S+\.(cc|h|cu):\d+: )?")


class XGBoost(Boosted):
    """
    A model of XGBoost: trees, of one output or several, with missing values as NaN.

    Args:
        model: An XGBClassifier, XGBRegressor, XGBRanker or Booster, or the path of a .json or
            .ubj file that its save_model wrote. Of a model that stopped early, the trees up
            to its best iteration count, as in the library; of a bare Booster all do.
        name: Short name; of the file or the model's class unless given.

    Raises:
        ConfigError: If it cannot be read, or has categorical features, linear boosters or
            an objective that export cannot convert; the message says what would work.
        ExportError: If XGBoost fails on it.
        MissingExtra: If the tabular extra is not installed.
    """

    library = "XGBoost"

    def __init__(self, model: Any, *, name: str = "") -> None:
        require("xgboost", extra="tabular")
        super().__init__(model, name=name)

    @classmethod
    def load(cls, path: Path) -> Any:
        """See `Tabular.load`."""
        xgboost = require("xgboost", extra="tabular")
        try:
            return xgboost.Booster(model_file=str(path))
        except Exception as error:  # XGBoost reports broken files in many ways
            raise ConfigError(
                f"{path} is no model that XGBoost can load: {_reason(error)}. Its save_model "
                "writes .json and .ubj."
            ) from error

    @classmethod
    def packages(cls, model: Any) -> tuple[str, ...]:
        """See `Tabular.packages`."""
        del model
        return ("xgboost", "xgboost-cpu", "onnx", "onnxruntime")

    @classmethod
    def trees(cls, model: Any) -> Trees:
        """See `Boosted.trees`."""
        return xgboost_trees(model)

    @classmethod
    def column_names(cls, model: Any) -> tuple[int, tuple[str, ...]]:
        """See `Boosted.column_names`."""
        booster = fitted_booster(model)
        return int(booster.num_features()), tuple(booster.feature_names or ())

    @classmethod
    def predict(cls, model: Any, rows: NDArray[Any]) -> NDArray[Any]:
        """See `Boosted.predict`."""
        xgboost = require("xgboost", extra="tabular")
        booster = fitted_booster(model)
        if objective(booster) == "multi:softmax":
            # It would answer the class alone.
            booster = booster.copy()
            booster.set_param({"objective": "multi:softprob"})
        names = booster.feature_names
        return np.asarray(booster.predict(xgboost.DMatrix(rows, feature_names=names)))


def _reason(error: Exception) -> str:
    """What XGBoost says first; then come its stack and, before it all, its own source file."""
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    text = _PLACE.sub("", first).strip().rstrip(":. ")
    # It may print what it read.
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:200]


if __name__ == "__main__":
    answer_parent(XGBoost)
