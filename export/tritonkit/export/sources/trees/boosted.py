"""Gradient-boosted trees: what the sources of XGBoost and LightGBM share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.tree_graph import tree_graph
from tritonkit.export.graphs.trees import Trees
from tritonkit.export.sources.tabular.table import FEATURES, Table
from tritonkit.export.sources.tabular.tabular import Tabular
from tritonkit.repository import Tensor

__all__ = ["Boosted", "class_names"]


class Boosted(Tabular):
    """A model of trees, all of whose columns are numbers; see `Tabular`."""

    @classmethod
    @abstractmethod
    def trees(cls, model: Any) -> Trees:
        """
        The trees of *model*.

        Raises:
            ConfigError: If it is no model of the library, or of a kind that cannot be
                converted.
        """

    @classmethod
    @abstractmethod
    def column_names(cls, model: Any) -> tuple[int, tuple[str, ...]]:
        """How many columns it takes, and their names, none where it has none."""

    @classmethod
    @abstractmethod
    def predict(cls, model: Any, rows: NDArray[Any]) -> NDArray[Any]:
        """The library's predictions for *rows*, shape (rows,) or (rows, margins)."""

    @classmethod
    def read(cls, model: Any, types: Mapping[str, str]) -> tuple[Any, Table]:
        """See `Tabular.read`."""
        del types
        trees = cls.trees(model)
        if trees.classes and len(trees.classes) != max(2, trees.margins):
            raise ConfigError(
                f"the model of {cls.library} was fitted on {len(trees.classes)} classes, but "
                f"answers {max(2, trees.margins)}; fit it on rows of each class."
            )
        columns, names = cls.column_names(model)
        outputs = [Tensor("value", "TYPE_FP32", (trees.margins,))]
        if trees.classes:
            kind = "TYPE_STRING" if isinstance(trees.classes[0], str) else "TYPE_INT64"
            outputs = [
                Tensor("label", kind, (1,)),
                Tensor("probabilities", "TYPE_FP32", (len(trees.classes),)),
            ]
        table = Table(
            inputs=(Tensor(FEATURES, "TYPE_FP32", (columns,)),),
            names=names,
            outputs=tuple(outputs),
            classes=tuple(str(one) for one in trees.classes),
        )
        return tree_graph(trees, FEATURES, columns), table

    @classmethod
    def answer(
        cls, model: Any, table: Table, columns: Mapping[str, NDArray[Any]]
    ) -> Mapping[str, NDArray[Any]]:
        """See `Tabular.answer`."""
        given = cls.predict(model, columns[FEATURES]).astype(np.float32)
        if not table.classes:
            return {"value": given.reshape(len(given), -1)}
        probabilities = np.stack([1 - given, given], axis=1) if given.ndim == 1 else given
        strings = table.outputs[0].data_type == "TYPE_STRING"
        classes = np.array(table.classes, np.object_)
        classes = classes if strings else classes.astype(np.int64)
        label = classes[probabilities.argmax(axis=1)]
        return {"label": label[:, np.newaxis], "probabilities": probabilities}


def class_names(model: Any, margins: int) -> tuple[int, ...] | tuple[str, ...]:
    """The classes of an estimator; 0, 1 ... where *model* tells none."""
    found = getattr(model, "classes_", None)
    if found is None:
        return tuple(range(max(2, margins)))
    if np.asarray(found).dtype.kind in "biuf":
        return tuple(int(one) for one in found)
    return tuple(str(one) for one in found)
