"""A finished graph in this process, fed as Triton's parts around it will feed it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tritonkit.errors import ExportError
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Answers, Feeds, Source
from tritonkit.extras import require

__all__ = ["Network"]


class Network:
    """
    Runs a finished graph with onnxruntime on the CPU.

    Args:
        source: Prepares samples and cuts padding off.
        graph: ONNX file.
        threads: Threads of one run; 0 for every core.

    Raises:
        MissingExtra: If onnxruntime is not installed.
    """

    def __init__(self, source: Source, graph: Path, *, threads: int = 0) -> None:
        onnxruntime = require("onnxruntime", extra="export")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # 3: errors. It warns of shapes that other tools wrote and nobody can act on.
        options.log_severity_level = 3
        # Another network is measured in turn: its idle threads must not take the cores.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._source = source
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._inputs = {tensor.name for tensor in self._session.get_inputs()}

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """The outputs for one batch, by name."""
        used = {name: array for name, array in feeds.items() if name in self._inputs}
        return dict(zip(self._outputs, self._session.run(self._outputs, used), strict=True))

    def answer(self, samples: Samples, *, batch_size: int = 16) -> Answers:
        """
        The answer to each sample, in consecutive batches.

        Args:
            samples: What to ask.
            batch_size: Of each batch but the last; 1 where the graph has no batch axis.
        """
        batch_size = batch_size if self._source.batched else 1
        every = range(len(samples))
        return self.answer_batches(
            samples, (every[start : start + batch_size] for start in every[::batch_size])
        )

    def answer_batches(self, samples: Samples, batches: Iterable[Iterable[int]]) -> Answers:
        """
        The answer to each sample, in the order of *samples*.

        Args:
            samples: What to ask.
            batches: Positions of what is asked together; a sample that is in none is left out.

        Raises:
            ExportError: If the graph gives more or fewer answers than it was asked for.
        """
        found: dict[str, dict[int, NDArray[Any]]] = {name: {} for name in self._outputs}
        for batch in batches:
            positions = list(batch)
            feeds = self._source.prepare(samples.take(positions))
            for name, rows in self._source.rows(feeds, self.run(feeds)).items():
                if len(rows) != len(positions):
                    raise ExportError(
                        f"output {name!r}: the graph gave {len(rows)} answers "
                        f"to a batch of {len(positions)} samples."
                    )
                found[name].update(zip(positions, rows, strict=True))
        return {name: [rows[at] for at in sorted(rows)] for name, rows in found.items()}
