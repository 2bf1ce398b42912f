"""Tabular models on a real tritonserver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tritonkit.client import Client
from tritonkit.export.samples.samples import Samples
from tritonkit.export.serving import served_models
from tritonkit.export.sources.scikit_learn.scikit_learn import ScikitLearn
from tritonkit.export.sources.tabular.table import FEATURES
from tritonkit.export.sources.tabular.tabular import Tabular
from tritonkit.export.sources.trees.lightgbm import LightGBM
from tritonkit.repository import write_models
from tritonkit.server import EmbeddedServer

Start = Callable[[Path], EmbeddedServer]


def write(source: Tabular, repository: Path, name: str, samples: Samples, scratch: Path) -> None:
    scratch.mkdir()
    converted = source.convert(scratch, samples)
    graph = scratch / "finished.onnx"
    onnx.save(source.finish(onnx.load(str(converted.graph))), str(graph))
    write_models(repository, served_models(source, graph, name=name, batch_invariant=True))


def test_served_models_answer_as_their_libraries(
    rows: NDArray[np.float64],
    gaps: NDArray[np.float64],
    frame: Any,
    mixed: Samples,
    model_repository: Path,
    triton_server: Start,
    tmp_path: Path,
) -> None:
    """Columns of texts and numbers, text labels, missing values, and a model without classes."""
    encoder = ColumnTransformer(
        [("city", OneHotEncoder(handle_unknown="ignore"), ["city"])], remainder="passthrough"
    )
    labels = np.where(frame["city"] == "Zürich", "abroad", "home")
    pipeline = make_pipeline(encoder, LogisticRegression(max_iter=5000)).fit(frame, labels)
    trees = lightgbm.LGBMClassifier(n_estimators=8, verbose=-1)
    trees.fit(gaps, np.digitize(rows[:, 0], [-0.5, 0.5]))
    outliers = IsolationForest(n_estimators=8, random_state=0).fit(rows)
    numbers = Samples({FEATURES: rows}, "test")
    for source, name, samples in (
        (ScikitLearn(pipeline), "places", mixed),
        (LightGBM(trees), "trees", numbers),
        (ScikitLearn(outliers), "outliers", numbers),
    ):
        write(source, model_repository, name, samples, tmp_path / name)
    server = triton_server(model_repository)
    part = slice(0, 50)
    with Client(server.http_url) as client:
        sent = {
            name: frame[[name]][part].to_numpy(object if name == "city" else np.float32)
            for name in frame.columns
        }
        places = client.infer("places", sent)
        classes = client.infer("trees", {FEATURES: gaps[part].astype(np.float32)})
        scores = client.infer("outliers", {FEATURES: rows[part].astype(np.float32)})
    given = [label.decode() for label in places["label"][:, 0]]
    assert given == pipeline.predict(frame[part]).tolist()
    np.testing.assert_allclose(
        places["probabilities"], pipeline.predict_proba(frame[part]), atol=1e-5
    )
    np.testing.assert_array_equal(classes["label"][:, 0], trees.predict(gaps[part]))
    np.testing.assert_allclose(classes["probabilities"], trees.predict_proba(gaps[part]), atol=1e-6)
    np.testing.assert_array_equal(scores["label"][:, 0], outliers.predict(rows[part]))
    np.testing.assert_allclose(
        scores["score"][:, 0], outliers.decision_function(rows[part]), atol=1e-6
    )
    assert (model_repository / "places" / "labels.txt").read_text().split() == ["abroad", "home"]
