"""The real server that says whether the rules are right."""

from __future__ import annotations

import http.client
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.repository.check.case import Files, write_files

if TYPE_CHECKING:
    from tritonkit.server import EmbeddedServer
    from tritonkit.server.testing import TritonServer


@dataclass(frozen=True)
class Answer:
    """
    What Triton made of a model.

    Args:
        loaded: Whether it serves it.
        text: Its answer, and what it wrote into its log meanwhile.
    """

    loaded: bool
    text: str


class Judge:
    """A server that loads one repository after the other, at one place."""

    def __init__(self, server: EmbeddedServer, repository: Path) -> None:
        self.server = server
        self.repository = repository
        self._judged: dict[tuple[object, ...], Answer] = {}

    def load(self, model: str, files: Files) -> Answer:
        """Load *model* of a repository of *files*, the same ones once only."""
        key = (model, *sorted((name, str(content)) for name, content in files.items()))
        if key not in self._judged:
            try:
                write_files(self.repository, files)
                self._judged[key] = self.ask(model)
            finally:
                for folder in (self.repository, self.repository.parent / "second"):
                    shutil.rmtree(folder)
                    folder.mkdir()
        return self._judged[key]

    def ask(self, model: str, *, dependents: bool = True) -> Answer:
        """Load *model* as it stands, and unload it; with *dependents* the models it calls too."""
        log = self.server.log_path
        assert log is not None
        start = log.stat().st_size
        status, said = self._post(f"/v2/repository/models/{model}/load", {})
        with log.open("rb") as file:
            file.seek(start)
            logged = file.read().decode(errors="replace")
        self._post(
            f"/v2/repository/models/{model}/unload",
            {"parameters": {"unload_dependents": dependents}},
        )
        return Answer(status == 200, f"{said}\n{logged}")

    def _post(self, path: str, body: object) -> tuple[int, str]:
        place = self.server.http_url.removeprefix("http://")
        connection = http.client.HTTPConnection(place, timeout=60)
        try:
            connection.request("POST", path, json.dumps(body))
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        # So that the quotes in it are those of Triton's text.
        return response.status, json.loads(text)["error"] if response.status != 200 else text


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer) -> Judge:
    """Of release 24.10, without a GPU and without a response cache."""
    return _judge(tmp_path_factory, triton_server_session)


@pytest.fixture(scope="session")
def quick_judge(
    tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer
) -> Judge:
    """One that completes nothing, so that a model of a backend starts a process less."""
    return _judge(tmp_path_factory, triton_server_session, "--disable-auto-complete-config")


def _judge(tmp_path_factory: pytest.TempPathFactory, start: TritonServer, *arguments: str) -> Judge:
    folder = tmp_path_factory.mktemp("judged")
    repository, second = folder / "model_repository", folder / "second"
    repository.mkdir()
    second.mkdir()
    server = start(
        repository,
        model_control_mode="explicit",
        # Short for --model-repository, which an EmbeddedServer takes one of.
        extra=(f"--model-repositor={second}", *arguments),
    )
    return Judge(server, repository)
