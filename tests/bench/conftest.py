from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tritonkit.server import EmbeddedServer
from tritonkit.server.testing import TritonServer

# Answers with its input; `body` decides which requests fail and which are held.
MODEL = """\
import time
from pathlib import Path

import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args):
        self.count = 0

    def execute(self, requests):
        responses = []
        for request in requests:
            self.count += 1
            {body}
            y = pb.Tensor("y", pb.get_input_tensor_by_name(request, "x").as_numpy())
            responses.append(pb.InferenceResponse([y]))
        return responses
"""
FAIL = """\
if self.count % {every} == 0:
                error = pb.TritonError("the model fails on purpose")
                responses.append(pb.InferenceResponse(error=error))
                continue"""
HOLD = """\
Path({held!r}).touch()
            while not Path({release!r}).exists():
                time.sleep(0.01)"""
CONFIG = """\
backend: "python"
max_batch_size: 8
dynamic_batching {{ }}
input [ {{ name: "x", data_type: {datatype}, dims: [ {dim} ] }} ]
output [ {{ name: "y", data_type: {datatype}, dims: [ {dim} ] }} ]
"""
# Gives each input back under the name of an output.
NAMED = """\
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [
            pb.InferenceResponse(
                [
                    pb.Tensor(y, pb.get_input_tensor_by_name(request, x).as_numpy())
                    for x, y in {pairs!r}.items()
                ]
            )
            for request in requests
        ]
"""
ENSEMBLE = """\
platform: "ensemble"
max_batch_size: 8
input [ { name: "x", data_type: TYPE_FP32, dims: [ 4 ] } ]
output [ { name: "y", data_type: TYPE_FP32, dims: [ 4 ] } ]
ensemble_scheduling {
  step [
    { model_name: "echo" model_version: -1
      input_map { key: "x" value: "x" } output_map { key: "y" value: "between" } },
    { model_name: "copy" model_version: -1
      input_map { key: "x" value: "between" } output_map { key: "y" value: "y" } }
  ]
}
"""


def add_model(
    repository: Path, name: str, body: str = "", *, datatype: str = "TYPE_FP32", dim: int = 4
) -> None:
    version = repository / name / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL.format(body=body or "pass"))
    (repository / name / "config.pbtxt").write_text(CONFIG.format(datatype=datatype, dim=dim))


def add_named(repository: Path, name: str, datatype: str, dims: str, pairs: dict[str, str]) -> None:
    """A model that answers each input under the name that *pairs* has for it."""
    version = repository / name / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(NAMED.format(pairs=pairs))
    lines = ['backend: "python"', "max_batch_size: 8"]
    for kind, names in (("input", pairs), ("output", pairs.values())):
        lines += [
            f'{kind} {{ name: "{n}", data_type: {datatype}, dims: [ {dims} ] }}' for n in names
        ]
    (repository / name / "config.pbtxt").write_text("\n".join(lines))


def gates(repository: Path) -> tuple[Path, Path]:
    """What the model `held` writes when it waits, and what it waits for."""
    return repository / "held" / "held.txt", repository / "held" / "release.txt"


@pytest.fixture
def gate(server: EmbeddedServer) -> Iterator[Callable[[], bool]]:
    """Keeps `held` from answering until the test is over; tells whether a request waits there."""
    held, release = gates(server.repository)
    held.unlink(missing_ok=True)
    release.unlink(missing_ok=True)
    yield held.exists
    release.touch()


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer
) -> EmbeddedServer:
    """One server for every test here, with models that answer, fail and wait."""
    repository = tmp_path_factory.mktemp("repository")
    add_model(repository, "echo")
    add_model(repository, "copy")
    add_model(repository, "text", datatype="TYPE_STRING", dim=1)
    tokens = {"input_ids": "tokens", "attention_mask": "mask"}
    add_named(repository, "encoder", "TYPE_INT64", "-1", tokens)
    add_named(repository, "classifier", "TYPE_FP32", "3, 8, 8", {"image": "scores"})
    add_named(repository, "sentiment", "TYPE_STRING", "1", {"text": "label"})
    add_model(repository, "flaky", FAIL.format(every=3))
    add_model(repository, "broken", FAIL.format(every=1))
    held, release = gates(repository)
    add_model(repository, "held", HOLD.format(held=str(held), release=str(release)))
    (repository / "pipeline" / "1").mkdir(parents=True)
    (repository / "pipeline" / "config.pbtxt").write_text(ENSEMBLE)
    return triton_server_session(repository)
