"""The embedded server as Python sees it, with a real tritonserver."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from geventhttpclient.response import HTTPConnectionClosed

from tritonkit.errors import ConfigError, RepositoryError, ServerError, ServerStartError
from tritonkit.server import EmbeddedServer
from tritonkit.server.admin import ModelState
from tritonkit.server.keeper import SHARED_MEMORY

WAITS = """
import time
class TritonPythonModel:
    def initialize(self, args):
        time.sleep(3)
    def execute(self, requests):
        return []
"""
RAISES = """
class TritonPythonModel:
    def initialize(self, args):
        raise ValueError("weights.bin is missing")
"""


def http_client(server: EmbeddedServer) -> httpclient.InferenceServerClient:
    return httpclient.InferenceServerClient(server.http_url.removeprefix("http://"))


def upper(client: httpclient.InferenceServerClient, *texts: str) -> list[str]:
    given = httpclient.InferInput("text", [len(texts), 1], "BYTES")
    given.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=object))
    answer = client.infer("upper", [given])
    return [text.decode() for text in answer.as_numpy("shouted").ravel()]


def double(client: httpclient.InferenceServerClient, values: list[float]) -> list[float]:
    given = httpclient.InferInput("x", [1, 4], "FP32")
    given.set_data_from_numpy(np.array([values], dtype=np.float32))
    return list(client.infer("double", [given]).as_numpy("y").ravel())


def regions(server: EmbeddedServer) -> list[str]:
    assert server.log_path is not None
    return [path.name for path in SHARED_MEMORY.glob(f"{server.log_path.parent.name}*")]


def test_an_onnx_model_without_a_configuration_answers(served):
    with http_client(served) as client:
        assert double(client, [1, 2, 3, 4]) == [2, 4, 6, 8]


def test_a_python_model_of_strings_answers(served):
    """The Python backend needs numpy 1 for this; numpy 2 kills its stub."""
    with http_client(served) as client:
        assert upper(client, "hello", "", "straße") == ["HELLO", "", "STRASSE"]


def test_grpc_and_metrics_are_served_too(served):
    with grpcclient.InferenceServerClient(served.grpc_url) as client:
        assert client.is_model_ready("double")
    with urlopen(served.metrics_url) as answer:
        assert "nv_inference_request_success" in answer.read().decode()


def test_the_response_cache_is_on(served):
    assert re.search(r"\| cache_enabled +\| 1 ", served.log_tail(1000))


def test_tells_the_state_of_each_model(served):
    assert set(served.models()) == {
        ModelState("double", "1", "READY", ""),
        ModelState("upper", "1", "READY", ""),
    }


def test_knows_itself(served):
    assert served.running
    assert served.http_url in repr(served)
    assert served.wait(timeout=0) is None


def test_listens_on_this_machine_alone(served):
    urls = (served.http_url, served.grpc_url, served.metrics_url.removesuffix("/metrics"))
    ports = [int(url.rpartition(":")[2]) for url in urls]
    sockets = [
        line.split()[1].split(":")
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()
        if line.split()[3] == "0A"
    ]
    listening = {int(port, 16): address for address, port in sockets if int(port, 16) in ports}

    assert listening.keys() == set(ports)
    # 127.0.0.1, plain or in the clothes of IPv6.
    assert set(listening.values()) <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_the_users_python_does_not_reach_the_models(
    model_repository, write_python_model, triton_server, monkeypatch, tmp_path
):
    """A numpy on the user's PYTHONPATH would be the wrong one."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "numpy.py").write_text("raise ImportError('the wrong numpy')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    code = """
import os, numpy
class TritonPythonModel:
    def initialize(self, args):
        leaked = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"} & set(os.environ)
        assert not leaked, leaked
        assert numpy.__version__ == "1.26.4", numpy.__version__
        assert os.environ["OMP_NUM_THREADS"] == "3"
        assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    def execute(self, requests):
        return []
"""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    write_python_model(model_repository / "looks", code)

    assert triton_server(model_repository).models()[0].state == "READY"


def test_several_servers_run_at_once_and_start_from_any_thread(tmp_path, write_double):
    write_double(tmp_path / "double")
    servers = [EmbeddedServer(tmp_path, stop_timeout=0) for _ in range(3)]
    try:
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(EmbeddedServer.start, servers))
        for server in servers:
            with http_client(server) as client:
                assert double(client, [0, 1, 2, 3]) == [0, 2, 4, 6]
    finally:
        for server in servers:
            server.stop()
    assert len({server.http_url for server in servers}) == 3


def test_stopping_leaves_nothing(two_models, server_folders, processes):
    server = EmbeddedServer(two_models)
    server.start()
    pids = processes.serving(server)
    names = regions(server)
    assert names
    server.stop()

    assert all(map(processes.gone, pids))
    assert not any((SHARED_MEMORY / name).exists() for name in names)
    assert server_folders() == []
    assert not server.running


def test_stopping_again_does_nothing_and_the_log_stays_readable(tmp_path, write_upper):
    write_upper(tmp_path / "upper")
    server = EmbeddedServer(tmp_path, stop_timeout=0)
    server.stop()
    with server:
        pass
    server.stop()

    assert "successfully loaded 'upper'" in server.log_tail(1000)
    assert len(server.log_tail(2).splitlines()) == 2
    with pytest.raises(ServerError, match="does not answer at http"):
        server.models()


def test_a_stopped_server_starts_again_but_a_running_one_does_not(tmp_path, write_upper):
    write_upper(tmp_path / "upper")
    server = EmbeddedServer(tmp_path, stop_timeout=0)
    with server:
        with pytest.raises(ConfigError, match="is started already; stop it first"):
            server.start()
        with http_client(server) as client:
            assert upper(client, "a") == ["A"]
    with server, http_client(server) as client:
        assert upper(client, "b") == ["B"]


def test_models_end_in_their_own_time_where_there_is_some(tmp_path, write_python_model):
    code = f"""
class TritonPythonModel:
    def execute(self, requests):
        return []
    def finalize(self):
        open({str(tmp_path / "finalized")!r}, "w").close()
"""
    write_python_model(tmp_path / "repository" / "ends", code)
    with EmbeddedServer(tmp_path / "repository"):
        pass

    assert (tmp_path / "finalized").exists()


def test_a_killed_keeper_leaves_nothing(tmp_path, write_python_model, server_folders, processes):
    """A stub sees that its server is gone, also a busy one; the owner does the rest."""
    busy = f"""
class TritonPythonModel:
    def execute(self, requests):
        open({str(tmp_path / "busy")!r}, "w").close()
        while True:
            pass
"""
    write_python_model(tmp_path / "repository" / "upper", busy)

    def call() -> None:
        with http_client(server) as client:
            upper(client, "x")

    server = EmbeddedServer(tmp_path / "repository", stop_timeout=0)
    with server, ThreadPoolExecutor(1) as caller:
        pids = processes.serving(server)
        answer = caller.submit(call)
        assert processes.soon((tmp_path / "busy").exists)
        os.kill(pids[0], signal.SIGKILL)

        assert server.wait(timeout=30) == -signal.SIGKILL
        assert not server.running
        assert isinstance(answer.exception(timeout=30), HTTPConnectionClosed)
        assert processes.gone_soon(*pids)
        names = regions(server)

    assert not any((SHARED_MEMORY / name).exists() for name in names)
    assert server_folders() == []


def test_a_server_that_is_killed_is_noticed(tmp_path, write_upper, server_folders, processes):
    write_upper(tmp_path / "repository" / "upper")
    with EmbeddedServer(tmp_path / "repository", stop_timeout=0) as server:
        _, tritonserver, *stubs = processes.serving(server)
        os.kill(tritonserver, signal.SIGKILL)

        assert server.wait(timeout=30) == 128 + signal.SIGKILL
        assert all(map(processes.gone, stubs))
        assert regions(server) == []
    assert server_folders() == []


def test_models_are_loaded_on_request(two_models, triton_server):
    server = triton_server(two_models, model_control_mode="explicit", load_models=["upper"])
    with http_client(server) as client:
        assert not client.is_model_ready("double")
        assert upper(client, "a") == ["A"]
        client.load_model("double")
        assert double(client, [1, 1, 1, 1]) == [2, 2, 2, 2]


def test_a_failing_model_is_told_with_its_reason(
    model_repository, write_python_model, write_double, server_folders
):
    write_double(model_repository / "double")
    write_python_model(model_repository / "bad", RAISES)
    said: list[str] = []
    server = EmbeddedServer(model_repository, stop_timeout=0, progress=said.append)
    with pytest.raises(ServerStartError, match=r"bad: ValueError: weights\.bin is missing") as e:
        server.start()

    assert e.value.models.keys() == {"bad"}
    assert said[0].startswith("starting tritonserver (")
    assert sorted(said[1:]) == ["could not load bad", "loaded double"]
    assert server_folders() == []
    assert not server.running


def test_the_rest_may_be_served_without_a_failing_model(
    model_repository, write_python_model, write_double, triton_server
):
    write_double(model_repository / "double")
    write_python_model(model_repository / "bad", RAISES)
    server = triton_server(model_repository, exit_on_error=False)
    with http_client(server) as client:
        assert double(client, [1, 1, 1, 1]) == [2, 2, 2, 2]
    states = {state.name: state for state in server.models()}

    assert states["bad"].state == "UNAVAILABLE"
    assert "weights.bin is missing" in states["bad"].reason


def test_an_ensemble_of_unknown_models_is_told(model_repository):
    """Triton's index says nothing of it."""
    (model_repository / "front" / "1").mkdir(parents=True)
    (model_repository / "front" / "config.pbtxt").write_text("""
platform: "ensemble"
input [{name: "x" data_type: TYPE_FP32 dims: [4]}]
output [{name: "y" data_type: TYPE_FP32 dims: [4]}]
ensemble_scheduling { step [{
  model_name: "nowhere" model_version: -1
  input_map {key: "x" value: "x"} output_map {key: "y" value: "y"}
}] }
""")
    with pytest.raises(ServerStartError, match=r"front: .* not available or ambiguous: nowhere"):
        EmbeddedServer(model_repository, stop_timeout=0).start()


def test_a_repository_with_a_link_that_leads_nowhere_is_told(model_repository, write_double):
    """Triton has no index of its models then."""
    write_double(model_repository / "double")
    (model_repository / "gone").symlink_to("nowhere")
    with pytest.raises(ServerStartError, match=r"failed to stat file .*/gone"):
        EmbeddedServer(model_repository, stop_timeout=0).start()


def test_loading_that_takes_too_long_is_given_up(model_repository, write_python_model):
    write_python_model(model_repository / "waits", WAITS)
    server = EmbeddedServer(model_repository, stop_timeout=0, startup_timeout="500ms")
    with pytest.raises(ServerStartError, match="not ready after 500ms; raise startup_timeout"):
        server.start()


def test_a_port_that_is_lost_while_models_load_is_replaced(
    model_repository, write_python_model, processes
):
    write_python_model(model_repository / "waits", WAITS)
    server = EmbeddedServer(model_repository, stop_timeout=0)
    starting = threading.Thread(target=server.start)
    starting.start()
    try:
        assert processes.soon(lambda: server.log_path is not None)
        lost = int(server.http_url.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", lost)):
            starting.join()
        assert server.running
        assert int(server.http_url.rpartition(":")[2]) != lost
        assert server.models()[0].state == "READY"
    finally:
        starting.join()
        server.stop()


def test_a_given_port_that_is_taken_is_told(two_models):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 is taken"):
            EmbeddedServer(two_models, http_port=port).start()


def test_an_argument_that_tritonserver_does_not_know_is_told_without_its_manual(two_models):
    server = EmbeddedServer(two_models, extra=["--no-such-option"], stop_timeout=0)
    with pytest.raises(ServerStartError, match="unrecognized option '--no-such-option'") as error:
        server.start()

    assert "Usage" not in str(error.value)


def test_a_missing_repository_is_told(tmp_path):
    with pytest.raises(RepositoryError, match="nowhere does not exist"):
        EmbeddedServer(tmp_path / "nowhere").start()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"startup_timeout": "soon"}, "startup_timeout"),
        ({"stop_timeout": -1}, "stop_timeout"),
        ({"cache_size": "much"}, "cache_size"),
        ({"model_control_mode": "manual"}, "model_control_mode"),
    ],
)
def test_wrong_options_are_told_at_construction(tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        EmbeddedServer(tmp_path, **options)


def test_a_program_that_forgets_to_stop_leaves_nothing(two_models, server_folders, processes):
    program = f"""
import os
from tritonkit.server import EmbeddedServer
EmbeddedServer({str(two_models)!r}).start()
print(*[p for p in open(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read().split()])
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert processes.gone_soon(*map(int, done.stdout.split()))
    assert server_folders() == []
