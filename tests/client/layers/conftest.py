"""A clock to turn, a model to change, a store that caches share; nothing may be left behind."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tritonkit.client import Cache, Entry, InferRequest, InferResponse, Memory, Stack, Store
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ModelUnavailable


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Transport(FakeTransport):
    """May be out of reach altogether: for questions as well as for requests."""

    down: Exception | None = None
    unready: Exception | None = None
    asking: asyncio.Event | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.gone: set[str] = set()

    async def metadata(self, model: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        answer = await super().metadata(model, *args, **kwargs)
        if model in self.gone:
            raise ModelUnavailable("unloaded", model=model)
        if self.asking is not None:
            await self.asking.wait()
        if self.down or self.unready:
            raise self.down or self.unready  # type: ignore[misc]
        return answer


class Model:
    """
    A model "m" of one input x and one output y, both one number a row: y = factor * x.

    The factor is that of the time when a request arrives; the answer comes when
    `gate` opens.
    """

    def __init__(
        self, *, digest: str = "A", invariant: bool = True, factor: float = 1.0, **options: Any
    ) -> None:
        self.factor = factor
        self.gate: asyncio.Event | None = None
        self.failure: Exception | None = None
        self.cancelled = 0
        self.clock = Clock()
        options = {"inputs": {"x": (1,)}, "outputs": {"y": (1,)}, **options}
        self.transport = Transport(self._answer, **options)
        self._invariant = invariant
        self._state(digest)

    async def _answer(self, request: InferRequest) -> Mapping[str, Any] | InferResponse:
        factor, failure = self.factor, self.failure
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if self.transport.down or failure:
            raise self.transport.down or failure  # type: ignore[misc]
        return {"y": request.inputs["x"] * np.float32(factor)}

    def reload(self, factor: float, digest: str = "", version: str = "1") -> None:
        """Another model takes the place of this one."""
        self.factor = factor
        self._state(digest)
        self.transport.versions[:] = [version]
        self.transport.counters = dict.fromkeys(self.transport.counters, 0)

    def _state(self, digest: str) -> None:
        values = {"tritonkit.model_digest": digest}
        if self._invariant:
            values["tritonkit.batch_invariant"] = "true"
        self.transport.model_config["parameters"] = {
            name: {"string_value": value} for name, value in values.items() if value
        }

    def cache(self, *stores: Store, **options: Any) -> Cache:
        """A cache whose clock is this model's, in memory by default."""
        stores = stores or (Memory("1MB", clock=self.clock),)
        return Cache(*stores, clock=self.clock, **options)

    def stack(self, *stores: Store, **options: Any) -> Stack:
        return Stack(self.transport, [self.cache(*stores, **options)])

    @property
    def sent(self) -> list[list[float]]:
        """The rows of each request that reached the model."""
        return [request.inputs["x"].ravel().tolist() for request in self.transport.requests]


class SharedStore(Store):
    """What several caches share: a dict, with epochs and leases."""

    name = "shared"
    shared = True
    budget = 5.0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.entries: dict[bytes, tuple[Entry, float]] = {}
        self.tokens: dict[str, bytes] = {}
        self.leases: dict[bytes, float] = {}
        self.down: Exception | None = None
        self.reading: asyncio.Event | None = None
        self.closed = False

    async def get(self, model: str, keys: Sequence[bytes]) -> list[Entry | None]:
        assert len(set(keys)) == len(keys)
        assert {len(key) for key in keys} <= {16}
        await asyncio.sleep(0)
        found = [self.entries.get(key) for key in keys] if not self.down else [None] * len(keys)
        return [entry[0] if entry and self.clock() < entry[1] else None for entry in found]

    async def put(self, model: str, entries: Mapping[bytes, Entry], lifetime: float | None) -> None:
        await asyncio.sleep(0)
        for key, entry in entries.items():
            assert len(key) == 16
            until = float("inf") if lifetime is None else entry.created + lifetime
            self.entries[key] = replace(entry), until

    async def epochs(self, names: Sequence[str]) -> list[bytes]:
        if self.down:
            raise self.down
        tokens = [self.tokens.get(name, b"") for name in names]
        if self.reading is not None:
            await self.reading.wait()
        return tokens

    async def renew(self, names: Sequence[str]) -> None:
        if self.down:
            raise self.down
        for name in names:
            self.tokens[name] = os.urandom(8)

    async def lease(self, keys: Sequence[bytes], seconds: float) -> list[bool]:
        granted = []
        for key in keys:
            free = self.leases.get(key, 0.0) <= self.clock()
            if free:
                self.leases[key] = self.clock() + seconds
            granted.append(free)
        return granted

    async def release(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            self.leases.pop(key, None)

    async def aclose(self) -> None:
        self.closed = True


async def ask(stack: Stack, values: Sequence[float], **options: Any) -> InferResponse:
    """One request of a row for each of *values*."""
    x = np.array(values, dtype=np.float32).reshape(-1, 1)
    return await stack(InferRequest(**{"model": "m", "inputs": {"x": x}, **options}))


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(30):
        await asyncio.sleep(0)


class Kit:
    """The names of this file, for test modules, which cannot import it."""

    Clock, Model, SharedStore, Transport = Clock, Model, SharedStore, Transport
    ask = staticmethod(ask)
    settle = staticmethod(settle)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def store(model: Model) -> SharedStore:
    return SharedStore(model.clock)


@pytest.fixture(autouse=True, scope="module")
def little_to_collect() -> Iterator[None]:
    """What was there before has no garbage: `quiet` looks through the rest after each test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
async def quiet() -> AsyncIterator[None]:
    """Nothing that a test leaves behind may complain later."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    yield
    await settle()
    gc.collect()
    await settle()
    assert not complaints
