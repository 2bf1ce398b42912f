"""`tritonkit serve` as a process of its own, with a real tritonserver."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tritonkit.server.keeper import SHARED_MEMORY

SERVE = [sys.executable, "-m", "tritonkit", "serve"]
FREE_PORTS = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]


class Serving:
    """A server that says that it is ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("ready"):
                return
        raise AssertionError("\n".join(self.lines))

    def told(self, label: str) -> str:
        return next(line.split()[1] for line in self.lines if line.startswith(label))

    @property
    def name(self) -> str:
        """Stands in the command line of each of its processes, and in its shared memory."""
        return Path(self.told("log")).parent.name


@pytest.fixture
def serve() -> Iterator[Callable[..., Serving]]:
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str | Path) -> Serving:
        process = subprocess.Popen(
            [*SERVE, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        started.append(process)
        return Serving(process)

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def refused(*arguments: str | Path) -> tuple[int, str]:
    """The exit code and the message of a server that does not start."""
    done = subprocess.run(
        [*SERVE, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    error = done.stderr[done.stderr.index("Error: ") :]
    assert error.count("\n") == 1, "one paragraph"
    return done.returncode, error


def test_tells_models_and_urls_and_serves(serve, two_models):
    serving = serve(two_models, *FREE_PORTS)

    assert ["double", "1", "READY"] in [line.split() for line in serving.lines]
    assert ["upper", "1", "READY"] in [line.split() for line in serving.lines]
    assert serving.told("gRPC").startswith("127.0.0.1:")
    for url in (f"{serving.told('HTTP')}/v2/health/ready", serving.told("metrics")):
        with urlopen(url) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_stops_it_cleanly(serve, two_models, processes, number):
    serving = serve(two_models, *FREE_PORTS)
    pids = processes.mentioning(serving.name)
    assert len(pids) >= 4
    serving.process.send_signal(number)
    rest = serving.process.stdout.read()

    assert serving.process.wait() == 0
    assert rest == f"stopped by {number.name}\n"
    assert all(map(processes.gone, pids))
    assert not list(SHARED_MEMORY.glob(f"{serving.name}*"))
    assert not Path(serving.told("log")).parent.exists()


def test_a_kill_leaves_nothing(serve, two_models, processes):
    serving = serve(two_models, *FREE_PORTS)
    pids = processes.mentioning(serving.name)
    assert len(pids) >= 4
    assert list(SHARED_MEMORY.glob(f"{serving.name}*"))
    serving.process.kill()

    assert processes.gone_soon(*pids)
    assert not list(SHARED_MEMORY.glob(f"{serving.name}*"))
    assert not Path(serving.told("log")).parent.exists()


def test_a_signal_while_models_load_stops_it(tmp_path, write_python_model, processes):
    code = f"""
import time
class TritonPythonModel:
    def initialize(self, args):
        open({str(tmp_path / "loading")!r}, "w").close()
        time.sleep(600)
    def execute(self, requests):
        return []
"""
    write_python_model(tmp_path / "repository" / "waits", code)
    command = [*SERVE, str(tmp_path / "repository"), *FREE_PORTS, "--stop-timeout", "0s"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with process:
        assert processes.soon((tmp_path / "loading").exists)
        pids = processes.mentioning(str(tmp_path / "repository"))
        process.terminate()
        _, said = process.communicate()

    assert process.returncode == 128 + signal.SIGTERM
    assert said.endswith("\nstopped by SIGTERM\n")
    assert processes.gone_soon(*pids)


def test_a_tritonserver_that_dies_is_told(serve, two_models, processes):
    serving = serve(two_models, *FREE_PORTS)
    _, tritonserver, *_ = processes.mentioning(serving.name)
    os.kill(tritonserver, signal.SIGKILL)
    rest = serving.process.stdout.read()

    assert serving.process.wait() == 1
    assert rest.startswith("Error: tritonserver ended by itself (exit code 137); its log ends")


def test_a_corrupt_model(tmp_path, write_double):
    write_double(tmp_path / "good")
    write_double(tmp_path / "bad")
    (tmp_path / "bad" / "1" / "model.onnx").write_bytes(b"not an ONNX file")

    code, error = refused(tmp_path, *FREE_PORTS)

    assert code == 1
    assert error.startswith("Error: 1 model could not be loaded: bad: ")
    assert "bad/1/model.onnx" in error


def test_a_wrong_config(tmp_path, write_upper):
    config = write_upper(tmp_path / "upper") / "config.pbtxt"
    config.write_text(config.read_text().replace("max_batch_size: 8", "max_batch_size: many"))

    assert refused(tmp_path, *FREE_PORTS) == (
        1,
        "Error: 1 model could not be loaded: upper: failed to read text proto from "
        f"{config} (2:17: Expected integer, got: many)\n",
    )


def test_a_model_whose_code_fails(tmp_path, write_python_model):
    write_python_model(tmp_path / "bad", "import nothing_of_that_name\n")

    code, error = refused(tmp_path, *FREE_PORTS)

    assert code == 1
    assert "bad: ModuleNotFoundError: No module named 'nothing_of_that_name'" in error


def test_a_taken_port(two_models):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, error = refused(two_models, *FREE_PORTS, "--grpc-port", str(port))

    assert code == 2
    assert error == (
        f"Error: port {port} on 127.0.0.1 is taken by another process; choose another, or 0 "
        "for any free port.\n"
    )


def test_a_missing_folder(tmp_path):
    code, error = refused(tmp_path / "nowhere", *FREE_PORTS)

    assert code == 2
    assert "nowhere does not exist; `tritonkit export` writes one" in error


def test_a_model_instead_of_a_repository(two_models):
    code, error = refused(two_models / "double", *FREE_PORTS)

    assert code == 2
    assert f"serve the folder that holds it: {two_models}" in error


def test_an_unknown_argument_of_tritonserver_without_its_manual(two_models):
    code, error = refused(two_models, *FREE_PORTS, "--", "--no-such-option")

    assert code == 1
    assert "unrecognized option '--no-such-option'" in error


def test_what_follows_the_dashes_is_no_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, error = refused("--", "--backend-config=python,x=y")

    assert code == 2
    assert "model repository model_repository does not exist" in error


def test_no_data_folder(two_models, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    code, error = refused(two_models, *FREE_PORTS)

    assert code == 1
    assert "Set XDG_DATA_HOME to a folder that can be written" in error


def test_no_executable_named_by_the_variable(two_models, monkeypatch):
    monkeypatch.setenv("TRITONKIT_TRITONSERVER", "/no/tritonserver")
    code, error = refused(two_models, *FREE_PORTS)

    assert code == 2
    assert "must name an executable tritonserver, but is '/no/tritonserver'" in error


def test_docker_mode_needs_docker(two_models, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, error = refused(two_models, *FREE_PORTS, "--mode", "docker")

    assert code == 1
    assert error.startswith("Error: docker is not installed: https://docs.docker.com")
