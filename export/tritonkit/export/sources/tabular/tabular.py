"""Tabular models: what those of scikit-learn, XGBoost and LightGBM share."""

from __future__ import annotations

import hashlib
import json
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError, ExportError, TritonkitError
from tritonkit.export.child import run_child
from tritonkit.export.graphs.tabular import column_ranges, name_outputs
from tritonkit.export.samples.samples import Samples
from tritonkit.export.scratch import scratch_folder
from tritonkit.export.sources.answer_file import read_answers
from tritonkit.export.sources.source import Answers, Converted, Feeds, Source
from tritonkit.export.sources.tabular.column_file import write_columns
from tritonkit.export.sources.tabular.table import FEATURES, Table, column_types
from tritonkit.extras import require

__all__ = ["Tabular"]

_BUILTIN = 256


class Tabular(Source):
    """
    A model of rows.

    A model in memory is converted when it is made a source; a file is, by a process of its
    own, in which the model's library runs. Graphs compute in float32: a number that lies
    nearer to a tree's threshold than float32 can tell may take the other branch, and the
    comparison with the library, which gets the samples as they are, shows it.

    Args:
        model: A fitted model, or the path of its file.
        name: Short name; of the file or the model's class unless given.
        samples: The user's samples, which tell the types of columns where the model cannot.

    Raises:
        ConfigError: If it cannot be read or converted.
        ExportError: If its library fails on it.
        MissingExtra: If the tabular extra is not installed.
    """

    role = ""
    library: str
    """What the model's library is called."""

    def __init__(self, model: Any, *, name: str = "", samples: Samples | None = None) -> None:
        types = column_types(samples)
        if isinstance(model, str | Path):
            file = Path(model).resolve()
            content = _read_bytes(file)
            self.path, self.kind, self._model = str(file), f"{self.library} file", None
            self.name = name or file.stem
            with scratch_folder("tritonkit-") as folder:
                self._run("read", folder, json.dumps(types), result="packages.json")
                self._graph = (folder / "model.onnx").read_bytes()
                self._table = Table.from_json((folder / "table.json").read_text())
                self.versions = tuple(json.loads((folder / "packages.json").read_text()))
        else:
            self.path, self.kind, self._model = "", f"{self.library} model", model
            self.name = name or type(model).__name__.lower()
            graph, self._table = self.convert_model(model, types)
            self._graph = content = graph.SerializeToString()
            self.versions = self.packages(model)
        self.digest = _digest(content, self._table.to_json().encode())
        self.comparison = self._table.comparison
        self.judged = self._table.judged

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Any:
        """
        The model in a file.

        Raises:
            ConfigError: If it holds none.
        """

    @classmethod
    @abstractmethod
    def read(cls, model: Any, types: Mapping[str, str]) -> tuple[Any, Table]:
        """
        Convert *model*.

        Args:
            model: Fitted.
            types: What is known of its columns from samples.

        Returns:
            onnx.ModelProto of opset 17, whose outputs are those of the table in order, and
            the table.

        Raises:
            ConfigError: If export cannot convert it.
        """

    @classmethod
    @abstractmethod
    def answer(
        cls, model: Any, table: Table, columns: Mapping[str, NDArray[Any]]
    ) -> Mapping[str, NDArray[Any]]:
        """The answers of the library to *columns*, by output, shape (samples, size)."""

    @classmethod
    @abstractmethod
    def packages(cls, model: Any) -> tuple[str, ...]:
        """Packages that take part in the conversion of *model*."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self._table.classes

    def builtin_samples(self) -> Samples | None:
        """Random rows for a model of numbers; None where columns have types of their own."""
        (first, *_), table = self._table.inputs, self._table
        if not table.is_matrix or first.data_type != "TYPE_FP32":
            return None
        model = require("onnx", extra="export").ModelProto.FromString(self._graph)
        low, high = np.array(column_ranges(model, FEATURES, first.dims[0])).T
        rows = np.random.default_rng(0).uniform(low, high, (_BUILTIN, first.dims[0]))
        return Samples({FEATURES: rows.astype(np.float32)}, "random, seed 0")

    def convert(self, folder: Path, samples: Samples) -> Converted:
        """See `Source.convert`."""
        columns = self._table.read(samples)
        graph, reference = folder / "model.onnx", folder / "reference.npz"
        graph.write_bytes(self._graph)
        if self._model is not None:
            return Converted(graph, self.answers(self._model, self._table, columns))
        write_columns(folder / "samples.npz", columns)
        (folder / "table.json").write_text(self._table.to_json())
        self._run("answer", folder, result=reference.name)
        return Converted(graph, read_answers(reference))

    def prepare(self, samples: Samples) -> Feeds:
        """See `Source.prepare`."""
        return self._table.feeds(samples)

    def finish(self, model: Any) -> Any:
        """Name the outputs, and give each the shape (batch, size)."""
        return name_outputs(model, self._table.outputs)

    @classmethod
    def convert_model(cls, model: Any, types: Mapping[str, str]) -> tuple[Any, Table]:
        """
        As `read`, in words where the library fails.

        Raises:
            ConfigError: If export cannot convert *model*.
            ExportError: If its library fails on it.
        """
        try:
            with _quiet():
                return cls.read(model, types)
        except TritonkitError:
            raise
        except Exception as error:  # libraries' errors share no narrower class
            raise ExportError(
                f"{type(model).__name__} could not be converted to ONNX: {_first_line(error)}"
            ) from error

    @classmethod
    def answers(cls, model: Any, table: Table, columns: Mapping[str, NDArray[Any]]) -> Answers:
        """
        As `answer`, a row at a time, in words where the library fails.

        Raises:
            ConfigError: If the library does not take *columns*, or answers in another shape
                than the graph.
        """
        try:
            with _quiet():
                answers = cls.answer(model, table, columns)
        except TritonkitError:
            raise
        except Exception as error:  # libraries' errors share no narrower class
            raise ConfigError(
                f"{cls.library} does not answer the samples: {_first_line(error)}"
            ) from error
        for tensor in table.outputs:
            given = answers[tensor.name].shape[1:]
            if given != tensor.dims:
                raise ConfigError(
                    f"{type(model).__name__} answers {tensor.name} of shape {list(given)}, but its "
                    f"ONNX graph {list(tensor.dims)}; the model cannot be converted."
                )
        return {tensor.name: list(answers[tensor.name]) for tensor in table.outputs}

    def _run(self, task: str, folder: Path, *arguments: str, result: str) -> None:
        what = f"{self.path} could not be converted to ONNX"
        run_child(
            type(self).__module__,
            [task, self.path, str(folder), *arguments],
            folder=folder,
            what=what,
        )
        refusal = folder / "refusal.txt"
        if refusal.exists():
            raise ConfigError(refusal.read_text())
        if not (folder / result).exists():
            raise ExportError(f"{what}: the process that did so ended before its time.")


def _first_line(error: Exception) -> str:
    """XGBoost's errors go on with addresses, scikit-learn's with advice."""
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first[:300]}"


def _quiet() -> Any:
    """Libraries warn of each other's age, which nobody here can act on."""
    return warnings.catch_warnings(action="ignore")


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error


def _digest(*parts: bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()
