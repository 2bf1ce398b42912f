"""What a tabular model takes and answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.signature import numpy_type
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Comparison
from tritonkit.repository import Tensor

__all__ = ["FEATURES", "Table", "column_types"]

FEATURES = "features"
"""The input of models whose columns are all of one type: a row of them."""

_LISTED = 12
# What no int64 reaches.
_BEYOND = 2.0**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """
    Inputs and outputs of a tabular model.

    Args:
        inputs: One for each column, dims [1]; or FEATURES alone, dims [columns].
        names: Names of the columns in FEATURES, where the model has any.
        outputs: The label, where there is one, then numbers; dims of one axis.
        classes: Names of the classes, in the order of the last output's axis; empty where that
            axis is not classes.
    """

    inputs: tuple[Tensor, ...]
    names: tuple[str, ...] = ()
    outputs: tuple[Tensor, ...]
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        both = {t.name for t in self.inputs} & {t.name for t in self.outputs}
        if both:
            raise ConfigError(
                f"a column is called {', '.join(sorted(both))}, as an output of the model is; "
                "rename the column and fit the model again."
            )

    @property
    def is_matrix(self) -> bool:
        """Whether its columns are one input, FEATURES."""
        return [tensor.name for tensor in self.inputs] == [FEATURES]

    @property
    def judged(self) -> str:
        """The output that is judged first."""
        return self.outputs[-1].name

    @property
    def comparison(self) -> Comparison:
        """How its answers are judged."""
        return "classes" if self.classes else "values"

    def read(self, samples: Samples) -> dict[str, NDArray[Any]]:
        """
        The columns that the model takes, numbers in the type that samples have them.

        Columns of FEATURES may be given as one, or each by its name; where the model has no
        names, as many as it takes, in its order.

        Returns:
            By input, shape (samples,), or (samples, columns) for FEATURES; texts are
            object arrays of str.

        Raises:
            ConfigError: If a column is missing, or holds what the input cannot.
        """
        if self.is_matrix and FEATURES not in samples.columns:
            kind, size = self.inputs[0].data_type, self.inputs[0].dims[0]
            names = self.names or tuple(samples.columns)
            if len(names) == size:
                parts = [_flat(samples, n, _column(samples, n, kind, names)) for n in names]
                return {FEATURES: np.stack(parts, axis=1)}
            raise ConfigError(
                f"the samples from {samples.origin} must have {FEATURES}, or the {size} columns "
                f"that the model takes in its order, but have {_listed(names)}."
            )
        every = [tensor.name for tensor in self.inputs]
        columns = {t.name: _column(samples, t.name, t.data_type, every) for t in self.inputs}
        if self.is_matrix:
            due, matrix = self.inputs[0].dims[0], columns[FEATURES]
            if due == 1 and matrix.ndim == 1:
                matrix = columns[FEATURES] = matrix[:, np.newaxis]
            if matrix.ndim != 2 or matrix.shape[1] != due:
                raise ConfigError(
                    f"{FEATURES} of the samples from {samples.origin} must be rows of {due} "
                    f"columns, but is of shape {list(matrix.shape)}."
                )
            return columns
        return {name: _flat(samples, name, column) for name, column in columns.items()}

    def feeds(self, samples: Samples) -> dict[str, NDArray[Any]]:
        """
        *samples* as the graph takes them, shape (samples, size) each.

        Raises:
            ConfigError: As `read`.
        """
        columns = self.read(samples)
        with np.errstate(over="ignore"):
            return {
                tensor.name: columns[tensor.name]
                .astype(numpy_type(tensor.data_type), copy=False)
                .reshape(-1, tensor.dims[0])
                for tensor in self.inputs
            }

    def to_json(self) -> str:
        """As text."""
        tensors = {
            key: [(t.name, t.data_type, t.dims) for t in getattr(self, key)]
            for key in ("inputs", "outputs")
        }
        return json.dumps({**tensors, "names": self.names, "classes": self.classes})

    @classmethod
    def from_json(cls, text: str) -> Table:
        """Of what `to_json` gave."""
        values = json.loads(text)
        inputs, outputs = (
            tuple(Tensor(name, kind, tuple(dims)) for name, kind, dims in values[key])
            for key in ("inputs", "outputs")
        )
        return cls(
            inputs=inputs,
            outputs=outputs,
            names=tuple(values["names"]),
            classes=tuple(values["classes"]),
        )


def column_types(samples: Samples | None) -> Mapping[str, str]:
    """By column of *samples* the type of Triton for what it holds."""
    if samples is None:
        return {}
    kinds = {"b": "TYPE_INT64", "i": "TYPE_INT64", "u": "TYPE_INT64", "f": "TYPE_FP32"}
    return {
        name: kinds.get(np.asarray(column).dtype.kind, "TYPE_STRING")
        for name, column in samples.columns.items()
    }


def _column(samples: Samples, name: str, kind: str, every: Sequence[str]) -> NDArray[Any]:
    if name not in samples.columns:
        missing = [one for one in every if one not in samples.columns]
        raise ConfigError(
            f"the samples from {samples.origin} lack {_listed(missing)}; the model takes "
            f"{_listed(every)}, and they have {_listed(list(samples.columns))}."
        )
    column = np.asarray(samples.columns[name])
    where = f"column {name!r} of the samples from {samples.origin}"
    if kind == "TYPE_STRING":
        return _texts(column, where)
    if column.dtype.kind not in "biuf":
        try:
            # None is a missing number.
            column = column.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where} must hold numbers: {error}.") from error
    if kind == "TYPE_INT64" and not (
        np.array_equal(column, np.trunc(column)) and np.all(np.abs(column) < _BEYOND)
    ):
        raise ConfigError(f"{where} must hold whole numbers of 64 bits, none of them missing.")
    return column


def _flat(samples: Samples, name: str, column: NDArray[Any]) -> NDArray[Any]:
    if column.ndim != 1 and column.shape[1:] != (1,):
        raise ConfigError(
            f"column {name!r} of the samples from {samples.origin} must be one value a row, but "
            f"is of shape {list(column.shape)}."
        )
    return column.reshape(-1)


def _texts(column: NDArray[Any], where: str) -> NDArray[np.object_]:
    texts = np.empty(column.shape, np.object_)
    for at, value in np.ndenumerate(column):
        # A reader of CSV takes "10" for a number.
        if not isinstance(value, str | int | np.integer) or isinstance(value, bool):
            raise ConfigError(
                f"{where} must hold texts, but row {at[0]} is {value!r}; a missing text can be "
                "sent as an empty one, if the model was fitted on such."
            )
        texts[at] = str(value)
    return texts


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(names[:_LISTED])
    return f"{text} and {len(names) - _LISTED} more" if len(names) > _LISTED else text
