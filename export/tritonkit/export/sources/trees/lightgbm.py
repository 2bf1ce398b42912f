"""LightGBM models: gradient-boosted trees from .txt, or memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.trees import Trees
from tritonkit.export.sources.tabular.child import answer_parent
from tritonkit.export.sources.trees.boosted import Boosted
from tritonkit.export.sources.trees.lightgbm_trees import fitted_booster, lightgbm_trees
from tritonkit.extras import require

__all__ = ["LightGBM"]

_FIRST_LINE = b"tree"


class LightGBM(Boosted):
    """
    A model of LightGBM: trees, with missing values as NaN.

    Args:
        model: An LGBMClassifier, LGBMRegressor, LGBMRanker or Booster, or the path of a .txt
            file that Booster.save_model wrote. The library's best iteration is used.
        name: Short name; of the file or the model's class unless given.

    Raises:
        ConfigError: If it cannot be read, or has features or an objective that export cannot
            convert; the message says what would work.
        ExportError: If LightGBM fails on it.
        MissingExtra: If the tabular extra is not installed.
    """

    library = "LightGBM"

    def __init__(self, model: Any, *, name: str = "") -> None:
        require("lightgbm", extra="tabular")
        super().__init__(model, name=name)

    @classmethod
    def load(cls, path: Path) -> Any:
        """See `Tabular.load`."""
        lightgbm = require("lightgbm", extra="tabular")
        first = path.read_bytes().partition(b"\n")[0].strip()
        try:
            if first != _FIRST_LINE:
                raise ValueError(f"its first line is not {_FIRST_LINE.decode()!r}")
            return lightgbm.Booster(model_file=str(path))
        except Exception as error:  # LightGBM reports broken files in many ways
            raise ConfigError(
                f"{path} is no model that LightGBM can load: {str(error)[:200]}. "
                "Booster.save_model writes one."
            ) from error

    @classmethod
    def packages(cls, model: Any) -> tuple[str, ...]:
        """See `Tabular.packages`."""
        del model
        return ("lightgbm", "onnx", "onnxruntime")

    @classmethod
    def trees(cls, model: Any) -> Trees:
        """See `Boosted.trees`."""
        return lightgbm_trees(model)

    @classmethod
    def column_names(cls, model: Any) -> tuple[int, tuple[str, ...]]:
        """See `Boosted.column_names`."""
        booster = fitted_booster(model)
        columns, names = int(booster.num_feature()), tuple(booster.feature_name())
        # So it calls columns without names.
        unnamed = names == tuple(f"Column_{at}" for at in range(columns))
        return columns, () if unnamed else names

    @classmethod
    def predict(cls, model: Any, rows: NDArray[Any]) -> NDArray[Any]:
        """See `Boosted.predict`."""
        return np.asarray(fitted_booster(model).predict(rows))


if __name__ == "__main__":
    answer_parent(LightGBM)
