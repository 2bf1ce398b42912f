"""scikit-learn estimators and pipelines, through skl2onnx."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.signature import numpy_type
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.scikit_learn.columns import Columns, model_columns
from tritonkit.export.sources.scikit_learn.conversion import convert_scikit_learn, output_shapes
from tritonkit.export.sources.scikit_learn.estimators import fitted_type, nested, without_search
from tritonkit.export.sources.tabular.child import answer_parent
from tritonkit.export.sources.tabular.pickles import check_allowed, load_pickle
from tritonkit.export.sources.tabular.table import Table
from tritonkit.export.sources.tabular.tabular import Tabular
from tritonkit.extras import require
from tritonkit.repository import Tensor

__all__ = ["ScikitLearn"]

_SEVERAL = "{} answers several labels a row; fit a model for each."
# By module, what packages with it are called.
_OTHERS = {"lightgbm": ("lightgbm",), "xgboost": ("xgboost", "xgboost-cpu")}


class ScikitLearn(Tabular):
    """
    A fitted estimator or Pipeline of scikit-learn.

    Columns of several types are an input each, as they are where a ColumnTransformer takes
    them by name; an array of numbers is the one input "features". Classifiers answer label
    and probabilities, or scores where they have none; regressors value; outlier detectors
    label and score; clusterers label and distances; transformers transformed. Estimators of
    XGBoost and LightGBM may be in it.

    Args:
        model: The fitted object, or the path of its pickle.
        name: Short name; of the file or the model's class unless given.
        samples: The user's samples, which tell the types of columns where the model cannot.
        allow_pickle: Whether a pickle may be loaded, which runs any code that its author put
            in. It is loaded in a process of its own, never in the caller's.

    Raises:
        ConfigError: If it is not fitted, or has a part that skl2onnx cannot convert; the
            message names the part.
        ExportError: If its library fails on it.
        MissingExtra: If the tabular extra is not installed.
    """

    library = "scikit-learn"

    def __init__(
        self,
        model: Any,
        *,
        name: str = "",
        samples: Samples | None = None,
        allow_pickle: bool = False,
    ) -> None:
        if isinstance(model, str | Path):
            check_allowed(Path(model), allowed=allow_pickle)
        require("skl2onnx", extra="tabular")
        super().__init__(model, name=name, samples=samples)

    @classmethod
    def load(cls, path: Path) -> Any:
        """See `Tabular.load`."""
        return load_pickle(path)

    @classmethod
    def packages(cls, model: Any) -> tuple[str, ...]:
        """See `Tabular.packages`."""
        modules = {type(step).__module__.partition(".")[0] for _, step in nested(model)}
        others = [name for module, names in _OTHERS.items() if module in modules for name in names]
        return ("scikit-learn", "skl2onnx", *others, "onnx", "onnxruntime")

    @classmethod
    def read(cls, model: Any, types: Mapping[str, str]) -> tuple[Any, Table]:
        """See `Tabular.read`."""
        _check(model)
        model = without_search(model)
        answers = _answers_of(model)
        columns = model_columns(model, types)
        example = columns.example_row(fitted_type(model))
        if "label" in answers and np.size(answers["label"](example)) > 1:
            raise ConfigError(_SEVERAL.format(type(model).__name__))
        graph = convert_scikit_learn(model, columns)
        shapes = output_shapes(graph, columns)
        if len(shapes) != len(answers):
            raise ConfigError(
                f"{type(model).__name__} becomes a graph of {len(shapes)} outputs, where "
                f"{' and '.join(answers)} are expected; export its .onnx file instead."
            )
        outputs = tuple(
            Tensor(name, data_type, (size,))
            for name, (data_type, size) in zip(answers, shapes, strict=True)
        )
        classes = _classes(model, outputs) if "label" in answers else ()
        if len(classes) != outputs[-1].dims[0]:
            # Such as one score for two classes.
            classes = ()
        return graph, Table(
            inputs=columns.inputs, names=columns.names, outputs=outputs, classes=classes
        )

    @classmethod
    def answer(
        cls, model: Any, table: Table, columns: Mapping[str, NDArray[Any]]
    ) -> Mapping[str, NDArray[Any]]:
        """See `Tabular.answer`."""
        model, answers = without_search(model), {}
        rows = Columns(table.inputs, table.names).rows(columns, fitted_type(model))
        for tensor, (name, ask) in zip(table.outputs, _answers_of(model).items(), strict=True):
            given = ask(rows)
            given = np.asarray(given.toarray() if hasattr(given, "toarray") else given)
            if given.ndim == 1:
                given = given[:, np.newaxis]
            if name == "scores" and tensor.dims == (2,) and given.shape[1] == 1:
                # A score for two classes is the second's; skl2onnx gives both.
                given = np.concatenate([-given, given], axis=1)
            answers[name] = given.astype(numpy_type(tensor.data_type))
        return answers


def _check(model: Any) -> None:
    base = require("sklearn.base", extra="tabular")
    validation = require("sklearn.utils.validation", extra="tabular")
    if not isinstance(model, base.BaseEstimator):
        raise ConfigError(
            f"{type(model).__module__}.{type(model).__name__} is no estimator of scikit-learn; "
            "a fitted estimator or Pipeline would work; XGBoost and LightGBM take their Boosters."
        )
    for name, step in nested(model):
        where = f"step {name!r}" if name else "a part of the model"
        kind = type(step).__name__
        if kind == "FunctionTransformer" and step.func is not None:
            function = getattr(step.func, "__name__", repr(step.func))
            raise ConfigError(
                f"{where} is a FunctionTransformer with the function {function}, which only Python "
                "can run; apply it before asking, or use a transformer of scikit-learn's own, such "
                "as PowerTransformer."
            )
        texts = any(isinstance(value, str) for value in getattr(step, "statistics_", ()))
        if kind == "SimpleImputer" and texts and not isinstance(step.missing_values, str):
            raise ConfigError(
                f"{where} is a SimpleImputer that takes {step.missing_values} for a missing "
                "text, and a request cannot hold one; fit it with missing_values='', and send "
                "empty texts."
            )
        for part, inner in getattr(step, "steps", ()):
            if inner in (None, "passthrough"):
                raise ConfigError(f"step {part!r} is {inner!r}; leave it out and fit again.")
    try:
        validation.check_is_fitted(model)
    except require("sklearn.exceptions", extra="tabular").NotFittedError as error:
        raise ConfigError(f"{type(model).__name__} is not fitted; fit it first.") from error


def _answers_of(model: Any) -> dict[str, Callable[[Any], Any]]:
    """By output in the order of skl2onnx, what of the library answers it."""
    base = require("sklearn.base", extra="tabular")
    if base.is_classifier(model):
        if isinstance(model.classes_, list):
            raise ConfigError(_SEVERAL.format(type(model).__name__))
        if hasattr(model, "predict_proba"):
            return {"label": model.predict, "probabilities": model.predict_proba}
        if not hasattr(model, "decision_function"):
            raise ConfigError(
                f"{type(model).__name__} answers a label without a number to judge it by; one with "
                "probabilities would work, such as with voting='soft'."
            )
        if type(model).__name__ == "OneVsRestClassifier":
            raise ConfigError(
                "skl2onnx does not convert the scores of OneVsRestClassifier; an estimator with "
                "probabilities in it would work."
            )
        return {"label": model.predict, "scores": model.decision_function}
    if base.is_outlier_detector(model):
        return {"label": model.predict, "score": model.decision_function}
    if base.is_regressor(model):
        return {"value": model.predict}
    if hasattr(model, "predict") and hasattr(model, "predict_proba"):
        return {"label": model.predict, "probabilities": model.predict_proba}
    if hasattr(model, "predict") and hasattr(model, "transform"):
        return {"label": model.predict, "distances": model.transform}
    if hasattr(model, "transform"):
        return {"transformed": model.transform}
    raise ConfigError(
        f"{type(model).__name__} is nothing that export can serve: no classifier, regressor, "
        "outlier detector, transformer or clusterer that tells distances of new rows."
    )


def _classes(model: Any, outputs: tuple[Tensor, ...]) -> tuple[str, ...]:
    found = getattr(model, "classes_", None)
    if found is not None:
        integral = outputs[0].data_type == "TYPE_INT64"
        return tuple(str(int(one) if integral else one) for one in found)
    if outputs[-1].name == "probabilities":
        return tuple(str(at) for at in range(outputs[-1].dims[0]))
    return ()


if __name__ == "__main__":
    answer_parent(ScikitLearn)
