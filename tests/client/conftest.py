"""A real tritonserver, a real Redis, and a server of ours that misbehaves on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop

from tritonkit.client.testing.redis_server import RedisServer
from tritonkit.client.wire.address import Address

if TYPE_CHECKING:
    from tritonkit.server.testing import TritonServer

# fmt: off
DATATYPES = [
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16",
    "UINT32", "UINT64", "FP16", "FP32", "FP64", "STRING", "BF16",
]
# fmt: on

ECHO = """
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        wanted = set(request.requested_output_names())
        tensors = [
            # numpy has no bfloat16: handed over by its memory.
            pb.Tensor.from_dlpack(name, tensor.to_dlpack())
            if name == "OUT_BF16"
            else pb.Tensor(name, tensor.as_numpy())
            for tensor in request.inputs()
            if (name := tensor.name().replace("IN_", "OUT_")) in wanted
        ]
        if "PARAMETERS" in wanted:
            import numpy as np

            text = np.array([request.parameters()], dtype=np.object_)
            tensors.append(pb.Tensor("PARAMETERS", text))
        return pb.InferenceResponse(tensors)
"""

SAME = """
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [
            pb.InferenceResponse(
                [pb.Tensor("y", pb.get_input_tensor_by_name(request, "x").as_numpy())]
            )
            for request in requests
        ]
"""

SAME_CONFIG = """
backend: "python"
max_batch_size: 8
input [ { name: "x", data_type: TYPE_FP32, dims: [ 16 ] } ]
output [ { name: "y", data_type: TYPE_FP32, dims: [ 16 ] } ]
"""

MOODY = """
import time

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        seconds = pb.get_input_tensor_by_name(request, "seconds")
        time.sleep(float(seconds.as_numpy()[0, 0]))
        error = pb.get_input_tensor_by_name(request, "error")
        if error is None:
            return pb.InferenceResponse([pb.Tensor("slept", seconds.as_numpy())])
        code = error.as_numpy()[0, 0].decode()
        if code == "raise":
            raise ValueError("boom")
        return pb.InferenceResponse(
            [], error=pb.TritonError(f"says {code}", getattr(pb.TritonError, code))
        )
"""

MOODY_CONFIG = """
backend: "python"
max_batch_size: 1
input [
  { name: "seconds", data_type: TYPE_FP32, dims: [ 1 ] },
  { name: "error", data_type: TYPE_STRING, dims: [ 1 ], optional: true }
]
output [ { name: "slept", data_type: TYPE_FP32, dims: [ 1 ] } ]
instance_group [ { count: 1, kind: KIND_CPU } ]
dynamic_batching {
  default_queue_policy {
    max_queue_size: 2
    default_timeout_microseconds: 60000000
    allow_timeout_override: true
    timeout_action: REJECT
  }
}
"""


GATED = """
import time
from pathlib import Path

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        gate = pb.get_input_tensor_by_name(request, "gate")
        path = Path(gate.as_numpy()[0, 0].decode())
        path.with_suffix(".begun").touch()
        end = time.monotonic() + 30
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.005)
        return pb.InferenceResponse([pb.Tensor("passed", gate.as_numpy())])
"""

GATED_CONFIG = """
backend: "python"
max_batch_size: 1
input [ { name: "gate", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "passed", data_type: TYPE_STRING, dims: [ 1 ] } ]
instance_group [ { count: 1, kind: KIND_CPU } ]
dynamic_batching {
  default_queue_policy {
    default_timeout_microseconds: 60000000
    allow_timeout_override: true
    timeout_action: REJECT
  }
}
"""


MIXER = """
import numpy as np
import triton_python_backend_utils as pb

FUNCTIONS = {
    "doubles": lambda x: x * 2,
    "normalises": lambda x: x - x.mean(axis=0),
    "counts": lambda x: x + np.arange(len(x), dtype=np.float32)[:, None],
    "rolls": lambda x: x + np.random.random(x.shape).astype(np.float32),
    "keeps": lambda x: x * 2 if (x < 100).all() else 1 / 0,
}


class TritonPythonModel:
    def initialize(self, args):
        self.function = FUNCTIONS[args["model_name"]]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        x = pb.get_input_tensor_by_name(request, "x").as_numpy()
        return pb.InferenceResponse([pb.Tensor("y", self.function(x))])
"""

MIXER_CONFIG = SAME_CONFIG.replace("max_batch_size: 8", "max_batch_size: 16").replace("16 ]", "4 ]")

KEPT_CONFIG = """
parameters { key: "tritonkit.model_digest" value { string_value: "0123" } }
parameters { key: "tritonkit.batch_invariant" value { string_value: "true" } }
"""

LENGTHS = """
import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        texts = pb.get_input_tensor_by_name(request, "text").as_numpy()
        lengths = np.array([[len(text)] for text in texts.ravel()], dtype=np.int32)
        return pb.InferenceResponse([pb.Tensor("length", lengths)])
"""

LENGTHS_CONFIG = """
backend: "python"
max_batch_size: 16
input [ { name: "text", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "length", data_type: TYPE_INT32, dims: [ 1 ] } ]
"""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Sockets are tested on both event loops, what stands on them on one."""
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    if item.path.name not in ("test_connection.py", "test_pool.py", "test_tls.py"):
        del loops["asyncio"]
    return loops


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


def write_model(repository: Path, name: str, config: str, code: str) -> None:
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config)
    (repository / name / "1" / "model.py").write_text(code)


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer) -> Triton:
    """
    Models: echo (any type, shape [-1, -1]), same (x to y, cached by the server),
    shifty (x to y, for tests that reload it), moody (sleeps, fails, has a queue of 2),
    gated (waits until the file "gate" is there; writes its name with .begun before).
    """
    repository = tmp_path_factory.mktemp("models")
    tensors = [
        f'{kind} [ {{ name: "{prefix}_{datatype}", data_type: TYPE_{datatype}, '
        f"dims: [ -1, -1 ]{', optional: true' if kind == 'input' else ''} }} ]"
        for datatype in DATATYPES
        for kind, prefix in (("input", "IN"), ("output", "OUT"))
    ]
    tensors.append('output [ { name: "PARAMETERS", data_type: TYPE_STRING, dims: [ 1 ] } ]')
    write_model(repository, "echo", "\n".join(['backend: "python"', *tensors]), ECHO)
    cached = SAME_CONFIG + "response_cache { enable: true }"
    write_model(repository, "same", cached, SAME)
    write_model(repository, "shifty", SAME_CONFIG, SAME)
    write_model(repository, "moody", MOODY_CONFIG, MOODY)
    write_model(repository, "gated", GATED_CONFIG, GATED)
    server = triton_server_session(
        repository,
        model_control_mode="explicit",
        load_models=("echo", "same", "shifty", "moody", "gated"),
        cache_size=64 * 2**20,
    )
    return Triton(server.http_url, f"grpc://{server.grpc_url}")


class Mixers(Triton):
    """A server of models that treat the rows of a batch in different ways."""


@pytest.fixture(scope="session")
def mixers(tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer) -> Mixers:
    """
    Models of x to y, 4 values a row: doubles (each row by itself), normalises (over
    the batch), counts (adds a row's place), rolls (adds random numbers), keeps
    (doubles, states that it may be kept by row, fails at 100). And lengths, of
    text, which states nothing.
    """
    repository = tmp_path_factory.mktemp("mixers")
    for name in ("doubles", "normalises", "counts", "rolls"):
        write_model(repository, name, MIXER_CONFIG, MIXER)
    write_model(repository, "keeps", MIXER_CONFIG + KEPT_CONFIG, MIXER)
    write_model(repository, "lengths", LENGTHS_CONFIG, LENGTHS)
    server = triton_server_session(repository)
    return Mixers(server.http_url, f"grpc://{server.grpc_url}")


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FaultServer = Callable[[Handler], Awaitable[Address]]


@pytest.fixture
async def fault_server() -> AsyncIterator[FaultServer]:
    """Starts a server that treats each connection with a handler of the test."""
    servers: list[asyncio.Server] = []
    writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def start(handler: Handler) -> Address:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            writers.add(writer)
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        return Address("http", *server.sockets[0].getsockname())

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for writer in writers:
        writer.transport.abort()
    for server in servers:
        await server.wait_closed()


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """Running and empty; for tests that leave it running, and as it was set."""
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One for this test alone, to be ill-treated."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()
