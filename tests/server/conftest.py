"""Model repositories that the tests of the server serve, and what a server leaves behind."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import onnx
import pytest
from onnx import parser

from tritonkit.server import EmbeddedServer
from tritonkit.server.testing import TritonServer

DOUBLE = """<ir_version: 8, opset_import: ["" : 17]>
double (float[batch, 4] x) => (float[batch, 4] y) { y = Add(x, x) }"""

UPPER = """\
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse([self.upper(request)]) for request in requests]

    def upper(self, request):
        text = pb_utils.get_input_tensor_by_name(request, "text").as_numpy()
        shouted = [item.decode().upper().encode() for item in text.ravel()]
        return pb_utils.Tensor("shouted", np.array(shouted, dtype=object).reshape(text.shape))
"""

UPPER_CONFIG = """\
backend: "python"
max_batch_size: 8
input [{name: "text" data_type: TYPE_STRING dims: [1]}]
output [{name: "shouted" data_type: TYPE_STRING dims: [1]}]
instance_group [{count: 1 kind: KIND_CPU}]
"""

ModelWriter = Callable[[Path], Path]
"""Writes a model into the directory of that name; returns the directory."""


@pytest.fixture(scope="session")
def write_double() -> ModelWriter:
    """An ONNX model without a configuration: y = 2 x, of shape (batch, 4)."""

    def write(directory: Path) -> Path:
        (directory / "1").mkdir(parents=True)
        onnx.save(parser.parse_model(DOUBLE), directory / "1" / "model.onnx")
        return directory

    return write


@pytest.fixture(scope="session")
def write_upper() -> ModelWriter:
    """A Python model: strings in, the same in capitals out."""

    def write(directory: Path) -> Path:
        return write_python(directory, UPPER, UPPER_CONFIG)

    return write


def write_python(directory: Path, code: str, config: str) -> Path:
    (directory / "1").mkdir(parents=True)
    (directory / "1" / "model.py").write_text(code)
    (directory / "config.pbtxt").write_text(config)
    return directory


@pytest.fixture(scope="session")
def write_python_model() -> Callable[[Path, str], Path]:
    """A Python model of the given code, with the inputs and outputs of the upper model."""

    def write(directory: Path, code: str) -> Path:
        return write_python(directory, code, UPPER_CONFIG)

    return write


@pytest.fixture(scope="session")
def two_models(
    tmp_path_factory: pytest.TempPathFactory, write_double: ModelWriter, write_upper: ModelWriter
) -> Path:
    """A repository with the models double and upper."""
    repository = tmp_path_factory.mktemp("two_models")
    write_double(repository / "double")
    write_upper(repository / "upper")
    return repository


@pytest.fixture(scope="session")
def served(two_models: Path, triton_server_session: TritonServer) -> EmbeddedServer:
    """A server of both models, for every test that only asks."""
    return triton_server_session(two_models, cache_size="4MB")


@pytest.fixture
def server_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    """The folders of the servers that were started in this test and are still there."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return lambda: list(folder.glob("tritonkit-server-*"))


class Processes:
    """Looks at processes by their id."""

    @staticmethod
    def gone(pid: int) -> bool:
        """Whether it ended; a zombie did."""
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    def gone_soon(self, *pids: int) -> bool:
        """Whether all end within half a minute."""
        return self.soon(lambda: all(map(self.gone, pids)))

    @staticmethod
    def soon(condition: Callable[[], bool]) -> bool:
        """Whether *condition* comes true within half a minute."""
        give_up = monotonic() + 30
        while not condition() and monotonic() < give_up:
            sleep(0.02)
        return condition()

    @staticmethod
    def mentioning(text: str) -> list[int]:
        """Those with *text* in their command line, oldest first."""
        found = []
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(FileNotFoundError, ProcessLookupError):
                if text in command.read_text(errors="replace"):
                    found.append(int(command.parent.name))
        return sorted(found)

    def serving(self, server: EmbeddedServer) -> list[int]:
        """The server's keeper, its tritonserver and the stubs of its Python models."""
        assert server.log_path is not None
        return self.mentioning(server.log_path.parent.name)


@pytest.fixture(scope="session")
def processes() -> Processes:
    return Processes()
