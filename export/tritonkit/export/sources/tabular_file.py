"""Files of tabular models: which kind of source one is."""

from __future__ import annotations

from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.scikit_learn.scikit_learn import ScikitLearn
from tritonkit.export.sources.source import Source
from tritonkit.export.sources.tabular.pickles import PICKLE_SUFFIXES
from tritonkit.export.sources.trees.lightgbm import LightGBM
from tritonkit.export.sources.trees.xgboost import XGBoost

__all__ = ["SUFFIXES", "read_tabular"]

_XGBOOST, _LIGHTGBM = (".json", ".ubj"), (".txt",)

SUFFIXES = (*PICKLE_SUFFIXES, *_XGBOOST, *_LIGHTGBM)
"""Of the files that are tabular models."""


def read_tabular(path: Path, *, allow_pickle: bool, samples: Samples | None = None) -> Source:
    """
    Read a tabular model from its file.

    Args:
        path: A pickle (.joblib, .pkl, .pickle), an XGBoost model (.json, .ubj) or a LightGBM
            model (.txt).
        allow_pickle: Whether a pickle may be loaded, which runs whatever code it holds.
        samples: The user's samples; types of columns are taken from them where the model
            cannot tell.

    Raises:
        ConfigError: If the file is none of these, is broken, or holds a model that export
            cannot convert; the message says what would work.
        ExportError: If its library fails on it.
        MissingExtra: If the tabular extra is not installed.
    """
    suffix = path.suffix.lower()
    if suffix in PICKLE_SUFFIXES:
        return ScikitLearn(path, samples=samples, allow_pickle=allow_pickle)
    if suffix in _XGBOOST:
        return XGBoost(path)
    if suffix in _LIGHTGBM:
        return LightGBM(path)
    raise ConfigError(
        f"{path} is no tabular model that export knows: a scikit-learn pickle "
        f"({', '.join(PICKLE_SUFFIXES)}), an XGBoost model (.json, .ubj) or a LightGBM model "
        "(.txt)."
    )
