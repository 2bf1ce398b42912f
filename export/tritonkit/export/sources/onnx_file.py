"""A plain ONNX file as a source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError, ExportError
from tritonkit.export.graphs.graph_file import (
    check_graph,
    digest_files,
    external_files,
    read_graph,
)
from tritonkit.export.graphs.judged import judged_output
from tritonkit.export.graphs.opset import raise_opset
from tritonkit.export.graphs.random_columns import random_columns
from tritonkit.export.graphs.session import open_graph, run_graph
from tritonkit.export.graphs.signature import Signature
from tritonkit.export.graphs.zip_map import strip_zip_maps
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Answers, Comparison, Converted, Feeds, Source
from tritonkit.extras import require

__all__ = ["OnnxFile"]

_SAMPLES = 64
_FREE = 8
"""Size of an axis of any size, in made-up samples and in requests that warm a model up."""


class OnnxFile(Source):
    """
    An ONNX file, with its external data where it has any.

    It is served with a batch axis if the first axis of every input and output is of any
    size, else one sample at a time.

    Args:
        path: The .onnx file.
        comparison: "values", or "classes" where the judged output holds a number for
            each class.
        judged: The output that is judged; the first one of floating point unless given.

    Raises:
        ConfigError: If the file cannot be read, or onnxruntime or Triton cannot run what
            is in it; the message names what, and what would work.
        MissingExtra: If onnx or onnxruntime is not installed.
    """

    kind = "ONNX file"
    role = "model"
    versions = ("onnx", "onnxruntime")

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        comparison: Comparison = "values",
        judged: str | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self._file = Path(path)
        self.name = self._file.stem
        model = read_graph(self._file)
        self.digest = digest_files((self._file, *_data_files(self._file)))
        open_graph(self._file, what=self.path)
        self._notes = raise_opset(model, self.path)
        check_graph(model, self.path)
        self._maps = strip_zip_maps(model)
        try:
            self._signature = Signature.of(model)
        except ExportError as error:
            raise ConfigError(f"{self.path}: {error}") from error
        if not self._signature.inputs:
            raise ConfigError(
                f"{self.path} takes no input: all that it reads is constant. A model that answers "
                "what it is asked would work."
            )
        self._model = model
        self.judged = judged_output(self._signature.outputs, judged, comparison, where=self.path)
        self.comparison = comparison

    @property
    def batched(self) -> bool:
        """Whether the first axis of every input and output is of any size."""
        return self._signature.batched

    @property
    def notes(self) -> tuple[str, ...]:
        """That its opset was raised, if it was."""
        return self._notes

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that a ZipMap named, in the order of the probabilities."""
        return tuple(str(name) for name in self._maps.get(self.judged, ()))

    @property
    def needed_input_sizes(self) -> Mapping[str, tuple[int, ...]]:
        """Dims of a small request, for each input of variable size."""
        return self._signature.sizes(_FREE)

    def builtin_samples(self) -> Samples | None:
        """Random numbers; None where an input takes strings, which nobody can make up."""
        columns = random_columns(self._model, self._signature.inputs, _SAMPLES, free=_FREE)
        return None if columns is None else Samples(columns, "random, seed 0")

    def convert(self, folder: Path, samples: Samples) -> Converted:
        """
        Write the file as one of opset 13 or later, and let onnxruntime answer *samples*.

        The answers are those of the file as it was given, to one sample at a time.

        Raises:
            ConfigError: If a sample does not fit, or the graph has a batch axis
                but cannot answer a batch.
            MissingExtra: If onnx or onnxruntime is not installed.
        """
        onnx = require("onnx", extra="export")
        session = open_graph(self._file, what=self.path)
        answers: dict[str, list[NDArray[Any]]] = {t.name: [] for t in self._signature.outputs}
        for position in range(len(samples)):
            row = samples.take([position])
            for name, rows in self._answer(session, row, f"sample {position}").items():
                answers[name].extend(rows)
        if self.batched:
            self._check_batch(session, samples)
        graph = folder / "model.onnx"
        onnx.save(self._model, graph)
        return Converted(graph, answers)

    def prepare(self, samples: Samples) -> Feeds:
        """The columns of *samples*, in the types of the graph's inputs."""
        return self._signature.feeds(samples)

    def finish(self, model: Any) -> Any:
        """Write the sizes of inputs and outputs that stages may have lost."""
        return self._signature.write(model)

    def rows(self, feeds: Feeds, outputs: Mapping[str, NDArray[Any]]) -> Answers:
        """The answers, by sample where there is a batch axis."""
        del feeds
        return self._signature.rows(outputs)

    def _answer(self, session: Any, samples: Samples, what: str) -> Answers:
        """As the graph answers that is served, though the file's inputs and outputs differ."""
        feeds = self._signature.feeds(samples)
        ranks = {value.name: len(value.shape) for value in session.get_inputs()}
        given = {
            name: array if array.ndim == ranks[name] else array[..., 0]
            for name, array in feeds.items()
        }
        outputs = {}
        for tensor, value in zip(
            self._signature.outputs, run_graph(session, given, f"{self.path}: {what}"), strict=True
        ):
            if tensor.name in self._maps:
                keys = self._maps[tensor.name]
                value = np.array([[row[key] for key in keys] for row in value], np.float32)
            rank = len(tensor.dims) + self.batched
            outputs[tensor.name] = value if value.ndim == rank else value[..., np.newaxis]
        return self._signature.rows(outputs)

    def _check_batch(self, session: Any, samples: Samples) -> None:
        two = samples.take([0, len(samples) - 1])
        for name, rows in self._answer(session, two, "a batch of 2").items():
            if len(rows) != 2:
                raise ConfigError(
                    f"{self.path}: the output {name!r} has {len(rows)} rows for a batch of 2, so "
                    "its first axis is not the batch; give the first axis of the inputs the fixed "
                    "size 1, and it is served one sample at a time."
                )


def _data_files(file: Path) -> tuple[Path, ...]:
    onnx = require("onnx", extra="export")
    return external_files(file, onnx.load(file, load_external_data=False))
