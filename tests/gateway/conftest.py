"""A real tritonserver with models of every data type, and a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tritonkit.client.testing.redis_server import RedisServer

if TYPE_CHECKING:
    from conftest import ServeModels, Triton

KEPT = """
parameters { key: "tritonkit.model_digest" value { string_value: "0123" } }
parameters { key: "tritonkit.batch_invariant" value { string_value: "true" } }
"""


@pytest.fixture(scope="session")
def triton(serve_models: ServeModels) -> Triton:
    """
    Models: echo (IN_FP32 to OUT_FP32 and so on, any type, shape [-1, -1]), doubles and
    keeps (x to y = 2 x, FP32 [4], batches; keeps says that a row depends on nothing
    else, and fails at 100), same (x to y, FP32 [16], batches), lengths (text to length,
    batches), moody (sleeps, fails, has a queue of 2), embedder (text to embedding, FP32
    [32], 8 rows, kept by row), small (as embedder), idle (as same, not loaded).
    """
    loaded = {name: name for name in ("echo", "same", "lengths", "moody", "embedder")}
    loaded |= {"doubles": "mixer", "keeps": "mixer", "small": "embedder"}
    return serve_models(
        loaded | {"idle": "same"},
        {"keeps": KEPT, "embedder": KEPT, "doubles": "dynamic_batching {}"},
        model_control_mode="explicit",
        load_models=tuple(loaded),
    )


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
