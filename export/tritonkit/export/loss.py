"""How much an unfinished graph loses against the converted one, on a few samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tritonkit.export.accuracy.distance import distance
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.source import Answers, Source
from tritonkit.extras import require

__all__ = ["GraphLoss"]

_SAMPLES = 32
_BATCH = 8


class GraphLoss:
    """
    Tells the distance of a graph's answers from those of the converted graph.

    Args:
        source: Finishes graphs and prepares samples.
        graph: The converted graph, FP32.
        samples: As many of them as 32, evenly spread, are asked.
        folder: Directory for the finished graphs.
    """

    def __init__(self, source: Source, graph: Path, samples: Samples, folder: Path) -> None:
        self._source = source
        self._graph = graph
        count = min(_SAMPLES, len(samples))
        chosen = np.linspace(0, len(samples) - 1, count).astype(np.int64)
        # By size, so that little of a batch is padding: answering is most of what a loss takes.
        by_size = np.argsort(samples.sizes[chosen], kind="stable")
        self._samples = samples.take(chosen[by_size])
        self._finished = folder / "finished.onnx"
        self._reference: Answers | None = None

    def __call__(self, graph: Path) -> float:
        """0 where *graph* answers as the converted one does, larger for worse."""
        if self._reference is None:
            self._reference = self._answers(self._graph)
        return distance(self._source, self._reference, self._answers(graph))

    def _answers(self, graph: Path) -> Answers:
        onnx = require("onnx", extra="export")
        onnx.save(self._source.finish(onnx.load(str(graph))), str(self._finished))
        network = Network(self._source, self._finished)
        return network.answer(self._samples, batch_size=_BATCH)
