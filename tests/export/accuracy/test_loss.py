"""What a graph loses, as the ranking of its nodes asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tritonkit.export.loss import GraphLoss
from tritonkit.export.samples.samples import Samples

WEIGHT = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)


@pytest.mark.parametrize("batched", [True, False])
def test_a_graph_loses_more_the_further_its_weights_are_off(
    batched: bool, embedder: Any, samples: Samples, graph: Callable[..., Path], tmp_path: Path
) -> None:
    embedder.__class__ = type("Batched", (type(embedder),), {"batched": batched})
    # Where there is no batch axis, a graph is of one row.
    row = np.array([-1 if batched else 1, 6], np.int64)

    def off(by: float) -> Path:
        noise = by * np.random.default_rng(0).normal(size=WEIGHT.shape)
        return graph(
            ("Reshape", ["x", "row"], "rows"),
            ("MatMul", ["rows", "w"], "judged"),
            w=(WEIGHT + noise).astype(np.float32),
            row=row,
        )

    loss = GraphLoss(embedder, off(0), samples, tmp_path)

    assert loss(off(0)) == pytest.approx(0.0, abs=1e-12)
    assert 0 < loss(off(0.01)) < loss(off(0.1)) < loss(off(1.0))
