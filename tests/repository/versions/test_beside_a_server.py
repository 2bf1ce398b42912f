"""Promote, roll back and prune while a server polls the repository, is asked, and is cached."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tritonclient.http as http
from click.testing import CliRunner
from tests.repository.versions.conftest import MakeModel

from tritonkit.cli import main
from tritonkit.client import Cache, Client, Memory
from tritonkit.repository import read_config
from tritonkit.repository.digest import BATCH_INVARIANT, MODEL_DIGEST
from tritonkit.repository.versions.content import content_digest
from tritonkit.server.testing import TritonServer


class Asking:
    """Asks each of *models* without a pause; what they answer, and what failed."""

    def __init__(self, url: str, models: tuple[str, ...]) -> None:
        self.answers: dict[str, list[int]] = {model: [] for model in models}
        self.failures: list[str] = []
        self._url, self._done = url, threading.Event()

    def wait_for(self, answer: int) -> None:
        """Wait until every model has given *answer* anew, and nothing else after it."""
        deadline = time.monotonic() + 120
        before = {model: len(given) for model, given in self.answers.items()}
        while not self.failures and any(
            given[-1:] != [answer] or len(given) == before[model]
            for model, given in self.answers.items()
        ):
            assert time.monotonic() < deadline, {m: a[-1:] for m, a in self.answers.items()}
            time.sleep(0.02)
        assert not self.failures

    def ask(self, model: str) -> None:
        with http.InferenceServerClient(self._url) as client:
            tensor = http.InferInput("x", [1, 1], "FP32")
            tensor.set_data_from_numpy(np.zeros((1, 1), np.float32))
            while not self._done.is_set():
                try:
                    answer = client.infer(model, [tensor]).as_numpy("y")
                except Exception as error:
                    self.failures.append(f"{model}: {error}")
                    return
                assert answer is not None
                self.answers[model].append(int(answer[0, 0]))
                time.sleep(0.03)

    @contextmanager
    def all_the_time(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.ask, args=(model,)) for model in self.answers]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in threads:
                thread.join()


def changes(answers: list[int]) -> list[int]:
    """The answers, each once for as long as it stays."""
    return [
        answer for answer, before in zip(answers, [0, *answers], strict=False) if answer != before
    ]


def with_digest(folder: Path) -> None:
    """As export states it, of version 2."""
    digest = content_digest(folder / "2", read_config(folder))
    with (folder / "config.pbtxt").open("a") as config:
        for name, value in ((MODEL_DIGEST, digest), (BATCH_INVARIANT, "true")):
            config.write(f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}\n')


def test_no_request_fails_and_the_promoted_version_answers(
    repository: Path,
    make_model: MakeModel,
    make_ensemble: MakeModel,
    triton_server: TritonServer,
) -> None:
    def repo(*arguments: str) -> None:
        said = CliRunner().invoke(main, ["repo", *arguments, "--repository", str(repository)])
        assert said.exit_code == 0, said.output

    with_digest(make_model("m", [1, 2]))
    make_ensemble("e", "m")
    server = triton_server(
        repository, model_control_mode="poll", extra=["--repository-poll-secs=1"]
    )
    asking = Asking(server.http_url.removeprefix("http://"), ("m", "e"))
    log = server.log_path
    assert log is not None

    def cached() -> list[tuple[float, str]]:
        given = {"x": np.zeros((1, 1), np.float32)}
        answers = [client.infer(model, given) for model in ("m", "e")]
        return [(answer["y"].item(), str(answer.trace)) for answer in answers]

    cache = Cache(Memory("1MB"), recheck=0)
    with Client(server.http_url, [cache]) as client, asking.all_the_time():
        asking.wait_for(22)
        assert cached() == [(22, "1 model")] * 2
        assert cached() == [(22, "1 memory")] * 2
        repo("promote", "m", "1")
        asking.wait_for(11)
        # Another model, to whoever keeps answers.
        assert cached() == [(11, "1 model")] * 2
        assert cached() == [(11, "1 memory")] * 2
        repo("rollback", "m")
        asking.wait_for(22)
        # What was kept in between is never an answer of this one.
        assert [value for value, _ in cached()] == [22, 22]
        looked = log.read_text().count("loading: m:2")
        repo("prune", "--keep", "0")
        assert not (repository / "m" / "1").exists()
        deadline = time.monotonic() + 60
        while log.read_text().count("loading: m:2") == looked:
            assert time.monotonic() < deadline, "the server did not look at the repository again"
            time.sleep(0.05)
        asking.wait_for(22)
    assert asking.failures == []
    assert changes(asking.answers["m"]) == [22, 11, 22]
    assert {state.name for state in server.models()} == {"m", "e"}
    assert "Poll failed" not in log.read_text()
