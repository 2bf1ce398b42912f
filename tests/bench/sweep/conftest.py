from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tritonkit.bench.conditions import Conditions
from tritonkit.bench.measurement import PERCENTILES, Failure, Latency, Measurement, Point, Usage
from tritonkit.bench.sweep.control import ModelControl
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.pool import Pool
from tritonkit.errors import ModelUnavailable, NotConnected, ServerStartError
from tritonkit.server import EmbeddedServer
from tritonkit.server.testing import TritonServer

MODELS = ("echo", "copy", "pipeline")


def _above() -> ModuleType:
    # Test folders are no packages; the models are those of the bench's own conftest.
    path = Path(__file__).parents[1] / "conftest.py"
    spec = importlib.util.spec_from_file_location("bench_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sweep_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models and an ensemble of them."""
    above = _above()
    folder: Path = tmp_path_factory.mktemp("sweep") / "repository"
    above.add_model(folder, "echo")
    above.add_model(folder, "copy")
    (folder / "pipeline" / "1").mkdir(parents=True)
    (folder / "pipeline" / "config.pbtxt").write_text(above.ENSEMBLE)
    return folder


@pytest.fixture(scope="session")
def _explicit(
    sweep_repository: Path, triton_server_session: TritonServer
) -> tuple[EmbeddedServer, dict[str, Any]]:
    server = triton_server_session(
        sweep_repository, model_control_mode="explicit", load_models=["*"]
    )
    return server, asyncio.run(configs_of(server.http_url))


@pytest.fixture
def explicit(_explicit: tuple[EmbeddedServer, dict[str, Any]]) -> Iterator[EmbeddedServer]:
    """A server whose models can be loaded; its configurations are the files' after each test."""
    server, originals = _explicit
    yield server
    assert asyncio.run(configs_of(server.http_url)) == originals


@pytest.fixture
def originals(_explicit: tuple[EmbeddedServer, dict[str, Any]]) -> dict[str, Any]:
    """What `explicit` runs, by model."""
    return _explicit[1]


@pytest.fixture
async def control(explicit: EmbeddedServer) -> AsyncIterator[ModelControl]:
    pool = Pool(Address.parse(explicit.http_url))
    yield ModelControl(pool)
    await pool.aclose()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where records go, of this process and of those that it starts."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "tritonkit" / "bench"


async def configs_of(url: str) -> dict[str, Any]:
    pool = Pool(Address.parse(url))
    try:
        return {model: await ModelControl(pool).config(model) for model in MODELS}
    finally:
        await pool.aclose()


class Simulated:
    """
    A server's repository API in memory, for what a real one takes seconds.

    Takes any configuration but one whose `refuse` is set, and completes none.
    """

    def __init__(self, configs: Mapping[str, Any]) -> None:
        self.address = Address.parse("http://simulated:8000")
        self.configs = {model: dict(config) for model, config in configs.items()}
        self.loads: list[tuple[str, Any]] = []
        self.gone = False
        self.restarts_with = dict(self.configs)

    def restart(self) -> None:
        self.configs = dict(self.restarts_with)
        self.gone = False

    async def config(self, model: str) -> Any:
        await self._answering()
        if model not in self.configs:
            raise ModelUnavailable(f"Request for unknown model: '{model}' is not found")
        return deepcopy(self.configs[model])

    async def load(self, model: str, config: Any) -> None:
        await self._answering()
        self.loads.append((model, config))
        if config.get("refuse"):
            raise ServerStartError("refused on purpose", models={model: "refused on purpose"})
        self.configs[model] = deepcopy(config)

    async def states(self) -> dict[str, str]:
        ready = await self.ready()
        return {name: "READY" if name in ready else "UNAVAILABLE" for name in self.configs}

    async def aclose(self) -> None:
        pass

    async def ready(self) -> frozenset[str]:
        await self._answering()
        return frozenset(
            name for name, c in self.configs.items() if c["max_batch_size"] <= self._limit(c)
        )

    def _limit(self, config: Any) -> float:
        steps = config.get("ensemble_scheduling", {}).get("step", [])
        sizes = [self.configs[step["model_name"]]["max_batch_size"] for step in steps]
        return min(sizes, default=float("inf"))

    async def _answering(self) -> None:
        await asyncio.sleep(0)
        if self.gone:
            raise NotConnected("cannot connect to http://simulated:8000")


def simulated_configs() -> dict[str, Any]:
    part = {
        "backend": "python",
        "max_batch_size": 8,
        "dynamic_batching": {"preferred_batch_size": [8], "max_queue_delay_microseconds": 0},
        "instance_group": [{"kind": "KIND_CPU", "count": 1}],
    }
    step = [{"model_name": "echo"}, {"model_name": "copy"}]
    return {
        "pipeline": {
            "name": "pipeline",
            "platform": "ensemble",
            "max_batch_size": 8,
            "ensemble_scheduling": {"step": step},
        },
        "echo": {"name": "echo", **part},
        "copy": {"name": "copy", **part},
    }


@pytest.fixture
def simulated() -> Simulated:
    return Simulated(simulated_configs())


CONDITIONS = Conditions(
    url="http://simulated:8000",
    model="pipeline",
    version="",
    config_digests={"pipeline": "00"},
    server="triton 2.51.0",
    load="closed loop",
    warmup=0.0,
    duration=1.0,
    max_requests=None,
    timeout=60.0,
    seed=0,
    inputs={"x": "FP32"},
    distinct_requests=64,
    started="2026-01-01T00:00:00+00:00",
)


def made(
    point: Point, *, rate: float = 1000.0, p99_ms: float = 1.0, failed: str = ""
) -> Measurement:
    """A measurement of one second with these figures."""
    us = dict.fromkeys(PERCENTILES, p99_ms * 1000.0)
    latency = Latency(
        count=0 if failed else round(rate),
        mean_us=p99_ms * 1e3,
        min_us=p99_ms * 1e3,
        max_us=p99_ms * 1e3,
        percentiles_us=us,
        histogram="",
    )
    return Measurement(
        point=point,
        seconds=1.0,
        latency=latency,
        service_time=latency,
        failures=(Failure(kind=failed, count=3, first="on purpose"),) if failed else (),
        intended=round(rate),
        usage=Usage(client_cpu=0.1),
    )


@pytest.fixture
def conditions() -> Conditions:
    return CONDITIONS


@pytest.fixture
def make() -> Callable[..., Measurement]:
    return made
