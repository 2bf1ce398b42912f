"""A model that is exported again: up to date, or as the next version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tritonkit.client import Client
from tritonkit.errors import ConfigError
from tritonkit.export import ServingOptions, export_model
from tritonkit.server.testing import TritonServer

EVERY = ServingOptions(version_policy="all")
ROWS = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def retrained(onnx_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same file with other weights."""
    model = onnx.load(onnx_file)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 2, tensor.name))
    file = tmp_path_factory.mktemp("retrained") / onnx_file.name
    onnx.save(model, file)
    return file


def own_answer(file: Path) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    scores: np.ndarray = session.run(["scores"], {"x": ROWS})[0]
    return scores


def snapshot(repository: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(repository)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in repository.rglob("*")
        if path.is_file()
    }


def test_a_second_run_is_up_to_date(onnx_file: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    first = export_model(onnx_file, repository)
    before = snapshot(repository)
    for version in (None, "next", 1):
        again = export_model(onnx_file, repository, model_version=version)
        assert not again.written
        assert again.cards == first.cards
        assert snapshot(repository) == before


def test_versions_stand_beside_each_other_and_answer(
    onnx_file: Path, retrained: Path, model_repository: Path, triton_server: TritonServer
) -> None:
    export_model(onnx_file, model_repository, options=EVERY)
    first = (model_repository / "layers" / "1" / "model.onnx").read_bytes()
    with pytest.raises(ConfigError, match=r"has another source; .*--force"):
        export_model(retrained, model_repository, options=EVERY)
    (card,) = export_model(
        retrained, model_repository, options=EVERY, model_version="next", force=True
    ).cards
    assert card.version == 2
    assert (model_repository / "layers" / "1" / "model.onnx").read_bytes() == first

    with Client(triton_server(model_repository).http_url) as client:
        assert client.metadata("layers")["versions"] == ["1", "2"]
        for version, file in (("1", onnx_file), ("2", retrained), ("", retrained)):
            answer = client.infer("layers", {"x": ROWS}, version=version)["scores"]
            np.testing.assert_allclose(answer, own_answer(file), atol=1e-5)
