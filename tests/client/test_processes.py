"""The sync client through threads, forks, signals and the end of the interpreter."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tritonkit.client import AsyncClient, Client, background
from tritonkit.errors import ConfigError, DeadlineExceeded, InvalidInput

if TYPE_CHECKING:
    from conftest import Triton

X = np.arange(16, dtype=np.float32).reshape(1, 16)
PREAMBLE = """
import asyncio, os, sys, threading, time
import numpy as np
from tritonkit.client import AsyncClient, Client
from tritonkit.client.transports.http import HttpTransport
url = sys.argv[1]
x = np.arange(16, dtype=np.float32).reshape(1, 16)
def right(answer):
    assert answer["y"].tolist() == x.tolist()
"""


def python(url: str, code: str, timeout: float = 30) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + code, url],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, triton: Triton) -> str:
    address: str = getattr(triton, request.param)
    return address


def test_every_method(url: str) -> None:
    with Client(url) as client:
        assert client.infer("same", {"x": X}, timeout="10s", id="7").id == "7"
        assert client.ready()
        assert client.ready("same")
        assert client.metadata("same")["name"] == "same"
        assert client.config("same")["max_batch_size"] == 8
        assert client.statistics("same")[0]["version"] == "1"
        assert repr(client).startswith("Client(Stack(")


def test_errors_reach_the_caller(url: str) -> None:
    with Client(url) as client:
        with pytest.raises(InvalidInput, match="no input 'z'"):
            client.infer("same", {"z": X})
        with pytest.raises(DeadlineExceeded):
            client.infer("moody", {"seconds": 0.5}, timeout=0.05)
    client.close()
    with pytest.raises(ConfigError, match="closed"):
        client.infer("same", {"x": X})


def test_many_threads_share_one_client(url: str) -> None:
    inputs = [np.full((1, 16), n, dtype=np.float32) for n in range(200)]
    with Client(url) as client, ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda x: client.infer("same", {"x": x})["y"], inputs))
    for x, answer in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(answer, x)


async def test_works_inside_of_a_running_loop(url: str) -> None:
    """A notebook has one: the loop stands still meanwhile."""
    with Client(url) as client:
        np.testing.assert_array_equal(client.infer("same", {"x": X})["y"], X)


def test_cannot_wait_for_itself(triton: Triton) -> None:
    async def nested() -> None:
        with Client(triton.http) as client:
            client.ready()

    with pytest.raises(ConfigError, match="use AsyncClient there"):
        background.run(nested())


def test_an_interrupt_cancels_the_request(triton: Triton) -> None:
    """Ctrl-C in the main thread, while it waits in the middle of a request."""
    code = """
import signal
client = Client(url)
client.infer("moody", {"seconds": 0})
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    client.infer("moody", {"seconds": 20})
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - start < 10)
right(client.infer("same", {"x": x}))
pool = client._client.transport._pool
print(len(pool._idle), pool._size)
"""
    # The model sleeps on, so ask for less than the session can wait for.
    output = python(triton.http, code.replace("20", "2"))
    assert output == "interrupted True\n1 1\n"
    with Client(triton.http) as client:
        client.infer("moody", {"seconds": 0})


FORK = """
client = Client(url)
right(client.infer("same", {"x": x}))
child = os.fork()
right(client.infer("same", {"x": x}))
if child == 0:
    for _ in range(20):
        right(client.infer("same", {"x": x}))
    client.close()
    sys.exit(7)
for _ in range(20):
    right(client.infer("same", {"x": x}))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
right(client.infer("same", {"x": x}))
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_fork_opens_connections_of_its_own(triton: Triton, loop: str) -> None:
    without = "sys.modules['uvloop'] = None" if loop == "asyncio" else ""
    python(triton.http, f"{without}\n{FORK}")


def test_one_asyncio_run_after_the_other(triton: Triton) -> None:
    """A client outlives its event loop."""
    python(
        triton.http,
        """
client = AsyncClient(url)
for _ in range(2):
    right(asyncio.run(client.infer("same", {"x": x})))
""",
    )


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "client.close()",
        "sys.exit(0)",
        "threading.Thread(target=client.infer, args=('moody', {'seconds': 0.3}), daemon=True)"
        ".start(); time.sleep(0.1)",
    ],
)
def test_the_end_of_the_interpreter_waits_for_nothing(url: str, ending: str) -> None:
    code = f'client = Client(url)\nright(client.infer("same", {{"x": x}}))\n{ending}\n'
    python(url, code, timeout=20)


def test_an_interrupted_program_ends(triton: Triton) -> None:
    code = """
client = Client(url)
client.ready()
print("go", flush=True)
client.infer("moody", {"seconds": 2})
"""
    program = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + code, triton.http],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdout is not None
        assert program.stdout.readline() == "go\n"
        time.sleep(0.3)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=20)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    with Client(triton.http) as client:
        client.infer("moody", {"seconds": 0})


HEAVY = ["torch", "onnx", "onnxruntime", "redis", "matplotlib", "grpc", "aiohttp", "uvloop"]


def test_importing_the_client_imports_nothing_heavy() -> None:
    code = f"import sys, tritonkit.client; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names_are_there() -> None:
    import tritonkit.client

    public = tritonkit.client.__all__
    assert public == sorted(public)
    assert [name for name in public if not hasattr(tritonkit.client, name)] == []
    assert {AsyncClient, Client} <= {getattr(tritonkit.client, name) for name in public}


@pytest.mark.parametrize("which", ["client", "Client(url)"])
def test_grpc_refuses_the_child_of_a_fork(triton: Triton, which: str) -> None:
    python(
        triton.grpc,
        f"""
from tritonkit.errors import ConfigError
os.environ["GRPC_VERBOSITY"] = "ERROR"
client = Client(url)
client.ready()
child = os.fork()
if child == 0:
    try:
        {which}.ready()
    except ConfigError as error:
        # gRPC may hang as the interpreter of a child ends.
        os._exit(7 if "does not survive a fork" in str(error) else 8)
    os._exit(9)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
""",
    )


def test_closing_lets_a_request_of_another_thread_end(url: str, tmp_path: Path) -> None:
    client, gate = Client(url), tmp_path / "gate"
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(client.infer, "gated", {"gate": str(gate)})
        while not (gate.with_suffix(".begun").exists() or answer.done()):
            time.sleep(0.005)
        client.close()
        gate.touch()
        assert answer.result()["passed"].tolist() == [[str(gate).encode()]]
