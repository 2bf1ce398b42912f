"""The columns that a fitted scikit-learn model takes, and their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.sources.scikit_learn.estimators import nested
from tritonkit.export.sources.tabular.table import FEATURES
from tritonkit.extras import require
from tritonkit.repository import Tensor

__all__ = ["Columns", "model_columns"]

_TEXT_MODULE = "sklearn.feature_extraction.text"


@dataclass(frozen=True, slots=True)
class Columns:
    """
    What a model takes.

    Args:
        inputs: One for each column where they were fitted by name and are of several
            types, else FEATURES alone.
        names: Names of the columns in FEATURES, if they have any.
        example: By input a value of each of its columns that the model knows.
    """

    inputs: tuple[Tensor, ...]
    names: tuple[str, ...] = ()
    example: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def is_matrix(self) -> bool:
        """Whether they are one input, FEATURES."""
        return [tensor.name for tensor in self.inputs] == [FEATURES]

    def rows(self, values: Mapping[str, NDArray[Any]], number: type[np.floating[Any]]) -> Any:
        """
        *values* as scikit-learn takes them.

        Args:
            values: By input, shape (rows,), or (rows, columns) for FEATURES.
            number: The type of its numbers.

        Returns:
            An array where columns have no names, else a pandas.DataFrame.
        """
        typed = {
            tensor.name: values[tensor.name].astype(number)
            if tensor.data_type == "TYPE_FP32"
            else values[tensor.name]
            for tensor in self.inputs
        }
        if not self.is_matrix:
            return require("pandas", extra="tabular").DataFrame(typed)
        if not self.names:
            return typed[FEATURES]
        return require("pandas", extra="tabular").DataFrame(
            typed[FEATURES], columns=list(self.names)
        )

    def example_row(self, number: type[np.floating[Any]]) -> Any:
        """One row that the model knows; see `rows`."""
        values = {
            name: np.array([values] if self.is_matrix else values)
            for name, values in self.example.items()
        }
        return self.rows(values, number)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of Triton, empty where it is not known, and a value that is certainly taken."""

    data_type: str
    # Some transformers take positive numbers only.
    example: Any = 1


_NUMBER = _Kind("TYPE_FP32")
_TEXT = _Kind("TYPE_STRING", "")
_UNKNOWN = _Kind("")


def model_columns(model: Any, types: Mapping[str, str]) -> Columns:
    """
    The columns of *model*.

    The model's own transformers tell types; what they leave open, *types* does.

    Args:
        model: A fitted estimator or pipeline of scikit-learn.
        types: By column of the samples, a type of Triton.

    Raises:
        ConfigError: If a type cannot be known; the message says how to tell it.
    """
    _check_order(model)
    columns = _columns(model)
    kinds = {kind.data_type for kind in columns.values()}
    example = tuple(kind.example for kind in columns.values())
    named = all(isinstance(name, str) for name in columns)
    if not named:
        # What is not known of an array is numbers: texts need an encoder, which tells.
        if kinds <= {"TYPE_FP32", ""} or kinds == {"TYPE_STRING"}:
            kind = "TYPE_STRING" if kinds == {"TYPE_STRING"} else "TYPE_FP32"
            inputs = (Tensor(FEATURES, kind, (len(columns),)),)
            return Columns(inputs, (), {FEATURES: example})
        raise ConfigError(
            "the model was fitted on an array whose columns are of several types; fit it on a "
            "pandas DataFrame, whose columns have names."
        )
    if kinds == {"TYPE_FP32"} and not _is_column_transformer(_first(model)):
        inputs = (Tensor(FEATURES, "TYPE_FP32", (len(columns),)),)
        return Columns(inputs, tuple(columns), {FEATURES: example})
    found = {name: kind.data_type or types.get(name, "") for name, kind in columns.items()}
    unknown = [name for name, kind in found.items() if not kind]
    if unknown:
        raise ConfigError(
            f"whether {', '.join(unknown)} hold texts or numbers cannot be read from the model; "
            f"give samples with the columns {', '.join(found)}, such as --samples rows.csv."
        )
    return Columns(
        tuple(Tensor(name, kind, (1,)) for name, kind in found.items()),
        # A lone column of this name is a matrix of one named column.
        (FEATURES,) if list(found) == [FEATURES] else (),
        {
            name: (columns[name].example or ("" if kind == "TYPE_STRING" else _NUMBER.example),)
            for name, kind in found.items()
        },
    )


def _check_order(model: Any) -> None:
    """skl2onnx finds columns by name in front of everything else only."""
    first = _first(model)
    if _is_column_transformer(first) or _is_union(first):
        return
    for _, step in nested(model):
        if _is_column_transformer(step) and hasattr(step, "feature_names_in_"):
            raise ConfigError(
                f"a ColumnTransformer behind or inside {type(first).__name__} cannot be converted; "
                "put it in front: as the first step of a Pipeline."
            )


def _columns(model: Any) -> dict[Any, _Kind]:
    """By name, or position in an array, what is known of each column that *model* reads."""
    first = _first(model)
    names = getattr(model, "feature_names_in_", getattr(first, "feature_names_in_", None))
    count = getattr(model, "n_features_in_", getattr(first, "n_features_in_", None))
    if names is None and count is None:
        raise ConfigError(
            f"{type(first).__name__} does not tell how many columns it was fitted on; wrap it "
            "into a ColumnTransformer, fitted on a pandas DataFrame."
        )
    every = list(range(int(count or 0))) if names is None else [str(name) for name in names]
    if not _is_column_transformer(first):
        return dict(zip(every, _kinds(first, every), strict=True))
    found: dict[Any, _Kind] = {}
    for _, transformer, selection in first.transformers_:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        selected = _selected(every, selection)
        for name, kind in zip(selected, _kinds(transformer, selected), strict=True):
            known = found.get(name, kind)
            if kind.data_type and known.data_type not in (kind.data_type, ""):
                raise ConfigError(
                    f"column {name!r} is taken for {known.data_type} by one transformer and for "
                    f"{kind.data_type} by another; give each its own column."
                )
            found[name] = kind if kind.example or not known.data_type else known
    # Of an array, columns that nobody reads are sent all the same.
    return {name: found.get(name, _NUMBER) for name in every if names is None or name in found}


def _kinds(transformer: Any, selected: Sequence[Any]) -> list[_Kind]:
    """What *transformer* tells of the columns that it takes."""
    first, count = _first(transformer), len(selected)
    if _is_column_transformer(first):
        known = _columns(first)
        return [known.get(name, _NUMBER) for name in selected]
    module = type(first).__module__
    if module.startswith(_TEXT_MODULE):
        return [_TEXT] * count
    for attribute in ("categories_", "statistics_"):
        values = getattr(first, attribute, None)
        if values is not None:
            return [_kind_of(np.atleast_1d(value)) for value in values]
    # Passing columns through is scikit-learn's own, as are models; they work on numbers.
    own = isinstance(first, str) or module.startswith("sklearn.") or hasattr(first, "predict")
    return [_NUMBER if own and not _is_union(first) else _UNKNOWN] * count


def _kind_of(values: Any) -> _Kind:
    """Of *values* that a transformer has learnt."""
    known = [value for value in values.tolist() if isinstance(value, str) or value == value]
    example = known[0] if known else _NUMBER.example
    if any(isinstance(value, str) for value in known):
        return _Kind("TYPE_STRING", next(value for value in known if isinstance(value, str)))
    return _Kind("TYPE_INT64" if values.dtype.kind in "iu" else "TYPE_FP32", example)


def _selected(every: list[Any], selection: Any) -> list[Any]:
    if isinstance(selection, str):
        return [selection]
    if isinstance(selection, slice):
        if isinstance(selection.start, str) or isinstance(selection.stop, str):
            raise ConfigError(
                f"the columns from {selection.start} to {selection.stop} cannot be converted; name "
                "each in a list."
            )
        return every[selection]
    chosen = np.atleast_1d(np.asarray(selection))
    if not chosen.size:
        return []
    if chosen.dtype.kind in "UOT":
        return [str(name) for name in chosen]
    if chosen.dtype.kind == "i" and chosen.min() < 0:
        raise ConfigError(
            f"column {chosen.min()}, counted from the end, cannot be converted; name it, or count "
            "from 0."
        )
    return [every[at] for at in np.arange(len(every))[chosen]]


def _first(model: Any) -> Any:
    pipeline = require("sklearn.pipeline", extra="tabular").Pipeline
    while isinstance(model, pipeline):
        model = model.steps[0][1]
    return model


def _is_column_transformer(model: Any) -> bool:
    compose = require("sklearn.compose", extra="tabular")
    return isinstance(model, compose.ColumnTransformer)


def _is_union(model: Any) -> bool:
    return isinstance(model, require("sklearn.pipeline", extra="tabular").FeatureUnion)
