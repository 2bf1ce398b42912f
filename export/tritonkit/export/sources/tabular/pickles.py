"""Unpickling: the one place that does, in a process of its own."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["PICKLE_SUFFIXES", "check_allowed", "load_pickle"]

PICKLE_SUFFIXES = (".joblib", ".pickle", ".pkl")
"""What files with pickles are called."""


def check_allowed(path: Path, *, allowed: bool) -> None:
    """
    Refuse a pickle that nobody vouched for.

    Raises:
        ConfigError: If it is not *allowed*; the message says what it risks.
    """
    if not allowed:
        raise ConfigError(
            f"{path} is a pickle, and loading one runs any code that its author put in. If you "
            "trust where it comes from, allow it: --allow-pickle, or allow_pickle=True. Without "
            "a pickle: hand the fitted estimator over in Python, export an .onnx file that its "
            "author wrote with skl2onnx, or XGBoost's .json or .ubj or LightGBM's .txt."
        )


def load_pickle(path: Path) -> Any:
    """
    The object in a pickle. Call it in a child process only.

    Raises:
        ConfigError: If it is broken, needs a module that is not installed, or was written
            by another version of scikit-learn.
    """
    joblib = require("joblib", extra="tabular")
    exceptions = require("sklearn.exceptions", extra="tabular")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = joblib.load(path)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"{path} needs the module {error.name}, which is not installed here."
            ) from error
        except AttributeError as error:
            raise ConfigError(
                f"{path} needs code that is not here: {error}. A class or function of a script "
                "or notebook must be in an installed module when it is pickled."
            ) from error
        except Exception as error:  # a broken pickle can raise anything
            raise ConfigError(
                f"{path} cannot be loaded: {type(error).__name__}: {error}. It is cut short, "
                "damaged or no pickle."
            ) from error
    for warning in (w.message for w in caught):
        if isinstance(warning, exceptions.InconsistentVersionWarning):
            raise ConfigError(
                f"{path} was written by scikit-learn {warning.original_sklearn_version}, but "
                f"{warning.current_sklearn_version} is installed, and answers may differ "
                f"({warning.estimator_name}). Install "
                f"scikit-learn=={warning.original_sklearn_version}, or fit and save it again."
            )
    return model
