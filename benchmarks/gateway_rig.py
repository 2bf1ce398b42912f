"""Two Tritons, a Redis and a gateway of two workers, to be ill-treated."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic

from chaos import FAST, MODEL, Replica

from tritonkit.bench.observe.processes import read_process, trees
from tritonkit.client import Quota
from tritonkit.client.testing.redis_server import RedisServer
from tritonkit.client.wire.address import Address
from tritonkit.gateway.demo.child import Child
from tritonkit.gateway.demo.gateway import await_gateway, start_gateway
from tritonkit.gateway.demo.traffic import Traffic
from tritonkit.server.ports import choose_ports

SLOWER = 0.6
ROW = 1_000
"""What a row of the accurate model costs, in millionths."""

BRIEF = Quota("0.2", model=MODEL, window="10s", name="brief")
WHOLE = Quota("1000", model=MODEL, window="1d", name="whole")
"""One that bites, and one that adds up the whole run."""

CODE = f"""
import json
import os
import time
import zlib
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args):
        self.accurate = args["model_name"] == "{MODEL}"
        self.server = Path(args["model_repository"]).parent
        self.log = os.open(self.server / "computed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def execute(self, requests):
        time.sleep(0.005 if self.accurate else 0.001)
        if self.accurate:
            time.sleep({SLOWER} * (self.server / "slow").exists())
        answers = []
        for request in requests:
            texts = pb.get_input_tensor_by_name(request, "text").as_numpy().ravel()
            told = [[zlib.crc32(text) % 2**20, self.accurate] for text in texts]
            if self.accurate:
                os.write(self.log, b"%d\\n" % len(texts))
            embedding = np.array(told, dtype=np.float32)
            answers.append(pb.InferenceResponse([pb.Tensor("embedding", embedding)]))
        return answers
"""
CONFIG = """
backend: "python"
max_batch_size: 32
input [ { name: "text", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "embedding", data_type: TYPE_FP32, dims: [ 2 ] } ]
instance_group [ { count: 1, kind: KIND_CPU } ]
dynamic_batching { }
parameters { key: "tritonkit.batch_invariant" value { string_value: "true" } }
parameters { key: "tritonkit.model_digest" value { string_value: "%s" } }
"""
CONSTANT = (-1.0, -1.0)
POLICY = """
server = [{servers}]

[[layers]]
type = "telemetry"

[[layers]]
type = "deadline"
timeout = "5s"

[[layers]]
type = "tiers"
last = ["stale", {{ type = "constant", outputs = {{ embedding = [-1.0, -1.0] }} }}]
[[layers.routes]]
name = "accurate"
model = "{accurate}"
timeout = "400ms"
[[layers.routes]]
name = "fast"
model = "{fast}"
timeout = "1s"

[[layers]]
type = "cache"
ttl = "20s"
stale_if_error = "10m"
stores = [{{ type = "memory", size = "4MB" }}, {{ type = "redis", url = "{redis}" }}]

[[layers]]
type = "coalesce"
apart = []

[[layers]]
type = "retry"
attempts = 2

[[layers]]
type = "budget"
ledger = {{ type = "redis", url = "{redis}" }}
quotas = [
  {{ limit = "{brief.limit}", model = "{accurate}", window = "{brief.window}", name = "brief" }},
  {{ limit = "{whole.limit}", model = "{accurate}", window = "{whole.window}", name = "whole" }},
]
[layers.costs]
type = "costs"
default = {{ row = 0 }}
prices = {{ {accurate} = {{ row = "0.001" }} }}

[[layers]]
type = "limit"

[[layers]]
type = "breaker"

[gateway.tenants.all]
anonymous = true
scope = ""
trace = true
rights = ["infer", "read", "live", "metrics"]
"""


class Rig:
    """Everything, and what befalls it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.replicas = [Replica(repository(folder, number)) for number in range(2)]
        for replica in self.replicas:
            replica.start()
            stack.callback(replica.stop)
        (folder / "redis").mkdir()
        self.redis = RedisServer(folder / "redis", "--appendonly", "yes", "--appendfsync", "always")
        self.redis.start()
        stack.callback(self.redis.stop)
        file = folder / "serving.toml"
        servers = ", ".join(f'"{replica.server.http_url}"' for replica in self.replicas)
        file.write_text(
            POLICY.format(
                servers=servers,
                accurate=MODEL,
                fast=FAST,
                redis=self.redis.url,
                brief=BRIEF,
                whole=WHOLE,
            )
        )
        (port,) = choose_ports("127.0.0.1", (0,))
        self.address = Address("http", "127.0.0.1", port)
        arguments = ["--policy", str(file), "--workers", "2"]
        self.gateway: Child = start_gateway(arguments, folder, port=port)
        stack.enter_context(self.gateway)
        await_gateway(self.gateway, self.address)
        self.killed_workers = 0

    def kill_worker(self) -> None:
        """The second one, so that the first lives through all of it."""
        pid = self.processes().get("1")
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self.killed_workers += 1

    def processes(self) -> dict[str, int]:
        """Ids of the workers by number, and that of the process above them."""
        found: dict[str, int] = {}
        for pid, words in commands():
            if "tritonkit.gateway.workers.worker" in words:
                number = words[words.index("tritonkit.gateway.workers.worker") + 1]
                parent = read_process(pid)
                if parent is not None and parent.parent in self._own():
                    found[number], found["above"] = pid, parent.parent
        return found

    def _own(self) -> set[int]:
        """All that this process started, and what they did."""
        parents = {}
        for pid, _ in commands():
            reading = read_process(pid)
            if reading is not None:
                parents[pid] = reading.parent
        return set(trees([os.getpid()], parents))

    def slow_down(self) -> None:
        for replica in self.replicas:
            replica.slow_down()

    def speed_up(self) -> None:
        for replica in self.replicas:
            replica.speed_up()

    def computed(self) -> int:
        """Rows that the accurate model was asked for, as it wrote down itself."""
        logs = (replica.repository / "computed" for replica in self.replicas)
        return sum(int(line) for log in logs if log.exists() for line in log.read_text().split())


def commands() -> Iterator[tuple[int, list[str]]]:
    """Processes and what they run."""
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                words = (place / "cmdline").read_text(errors="replace").split("\0")
                yield int(place.name), words


def repository(folder: Path, number: int) -> Path:
    place = folder / str(number)
    for model in (MODEL, FAST):
        (place / model / "1").mkdir(parents=True)
        (place / model / "config.pbtxt").write_text(CONFIG % model)
        (place / model / "1" / "model.py").write_text(CODE)
    return place


def faults(rig: Rig, traffic: Traffic) -> Sequence[tuple[float, str, Callable[[], object]]]:
    """What happens in a cycle, and when, as a share of it."""
    zero, one = rig.replicas
    return [
        (0.05, "kill a Triton", zero.kill),
        (0.20, "start it", zero.start),
        (0.30, "slow the accurate model", rig.slow_down),
        (0.40, "speed it up", rig.speed_up),
        (0.48, "kill Redis", rig.redis.kill),
        (0.55, "start it", rig.redis.start),
        (0.65, "kill a worker", rig.kill_worker),
        (0.75, "burst", lambda: traffic.burst(monotonic())),
        (0.86, "stop a Triton", one.stand_still),
        (0.93, "let it go on", one.go_on),
    ]
