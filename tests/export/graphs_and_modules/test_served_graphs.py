"""ONNX files and torch modules on a real tritonserver."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tritonkit.client import Client
from tritonkit.export.samples.samples import Samples
from tritonkit.export.serving import served_models
from tritonkit.export.sources.onnx_file import OnnxFile
from tritonkit.export.sources.torch.torch_module import TorchModule
from tritonkit.repository import write_models


@pytest.fixture
def sources(mlp, build, tmp_path):
    """By name of the served model: a source, and samples where it has none of its own."""
    torch.manual_seed(0)
    plus = [("Add", ["x", "one"], ["y"])], [("y", "float", [2, 3])], {"one": np.float32(1)}
    graphs = {
        "batched": mlp,
        "whole": build([("x", "float", [2, 3])], *plus),
        "strings": build(
            [("s", "string", ["N"])], [("Identity", ["s"], ["t"])], [("t", "string", ["N"])]
        ),
        "free": build(
            [("x", "float", ["N", "length"])],
            [("ReduceSum", ["x", "axis"], ["sum"]), ("Neg", ["x"], ["minus"])],
            [("sum", "float", ["N", 1]), ("minus", "float", ["N", "length"])],
            {"axis": np.array([1])},
        ),
    }
    found = {}
    for name, model in graphs.items():
        file = tmp_path / f"{name}.onnx"
        onnx.save(model, file)
        found[name] = OnnxFile(file), None
    found["strings"] = found["strings"][0], Samples({"s": np.array(["a", "ü"], object)}, "test")
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5))
    found["module"] = TorchModule(module, {"pixels": torch.randn(2, 3, 8, 8)}), None
    return found


def test_the_server_answers_as_the_source_does(sources, tmp_path, model_repository, triton_server):
    converted = {}
    for name, (source, given) in sources.items():
        folder = tmp_path / name
        folder.mkdir()
        samples = (given or source.builtin_samples()).take([0, 1])
        made = source.convert(folder, samples)
        finished = folder / "finished.onnx"
        onnx.save(source.finish(onnx.load(made.graph)), finished)
        models = served_models(source, finished, name=name, batch_invariant=True)
        write_models(model_repository, models)
        converted[name] = samples, made.reference

    with Client(triton_server(model_repository).http_url) as client:
        for name, (samples, reference) in converted.items():
            source = sources[name][0]
            batches = [[0, 1]] if source.batched else [[0], [1]]
            answers = [client.infer(name, source.prepare(samples.take(b))) for b in batches]
            for output, rows in reference.items():
                found = [
                    row for a in answers for row in source.rows({}, {output: a[output]})[output]
                ]
                for ours, theirs in zip(found, rows, strict=True):
                    if ours.dtype.kind == "O":
                        assert [text.decode() for text in ours] == theirs.tolist()
                    else:
                        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
