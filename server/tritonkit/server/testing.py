"""
A pytest plugin that serves model repositories in tests.

Installed with tritonkit and found by pytest by itself. In a test:

    def test_doubles(model_repository, triton_server):
        write_my_model(model_repository / "doubles")
        server = triton_server(model_repository)
        client = tritonclient.http.InferenceServerClient(server.http_url.removeprefix("http://"))
        ...

A server is a real tritonserver; it starts in one or two seconds and is stopped when
the test, or the session, ends. It is not given time to stop, which Triton takes over
a second for with each instance of a model; a test of a model's `finalize` asks for
it by `triton_server(repository, stop_timeout="15s")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

# pytest loads plugins before every run, also where no test needs a server.
if TYPE_CHECKING:
    from tritonkit.server import EmbeddedServer

__all__ = ["TritonServer", "model_repository", "triton_server", "triton_server_session"]

TritonServer: TypeAlias = "Callable[..., EmbeddedServer]"
"""Takes what `EmbeddedServer` takes; returns it started."""


@pytest.fixture
def model_repository(tmp_path: Path) -> Path:
    """An empty model repository."""
    repository = tmp_path / "model_repository"
    repository.mkdir()
    return repository


@pytest.fixture
def triton_server() -> Iterator[TritonServer]:
    """Starts servers that stop when the test ends."""
    with ExitStack() as servers:
        yield _starter(servers)


@pytest.fixture(scope="session")
def triton_server_session() -> Iterator[TritonServer]:
    """Starts servers that stop when the session ends."""
    with ExitStack() as servers:
        yield _starter(servers)


def _starter(servers: ExitStack) -> TritonServer:
    def start(repository: str | Path, **options: Any) -> EmbeddedServer:
        from tritonkit.server import EmbeddedServer

        options.setdefault("stop_timeout", 0)
        return servers.enter_context(EmbeddedServer(repository, **options))

    return start
