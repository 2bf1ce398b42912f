"""Models by name behind one transport, each answered by a function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tritonkit.client import InferRequest, InferResponse, Layer, Route, Stack
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import DeadlineExceeded


class Ways:
    """
    Routes "accurate", "middle" and "fast", to models of these names.

    Input x, one number a row; output y, two probabilities a row: what `surety` of
    the model gives for x, and the rest. `fail` has the error that a model raises;
    a model waits for its `gate`, no longer than the request's deadline.
    """

    def __init__(self, *names: str, **fields: Any) -> None:
        self.names = names or ("accurate", "fast")
        self.fail: dict[str, Exception] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.surety: dict[str, Callable[[Any], Any]] = {}
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        parameters = {"tritonkit.model_digest": {"string_value": "A"}}
        self.transport = FakeTransport(
            self._answer,
            **{
                "inputs": {"x": [1]},
                "outputs": {"y": [2]},
                "config": {"parameters": parameters},
                **fields,
            },
        )

    async def _answer(self, request: InferRequest) -> Any:
        model = request.model
        try:
            gate = self.gates.get(model)
            if gate is not None:
                try:
                    async with asyncio.timeout(request.remaining()):
                        await gate.wait()
                except TimeoutError:
                    raise DeadlineExceeded("too slow", model=model) from None
        except asyncio.CancelledError:
            self.cancelled.append(model)
            raise
        self.ended.append(model)
        if model in self.fail:
            raise self.fail[model]
        surety = self.surety.get(model, lambda x: np.ones_like(x))
        sure = surety(request.inputs["x"]).astype(np.float32)
        return {"y": np.concatenate([sure, 1 - sure], axis=1)}

    def routes(self, **fields: dict[str, Any]) -> list[Route]:
        return [Route(name, **{"model": name, **fields.get(name, {})}) for name in self.names]

    def stack(self, tiers: Tiers, *below: Layer) -> Stack:
        return Stack(self.transport, [tiers, *below])

    @property
    def asked(self) -> list[str]:
        """The models, in the order in which requests reached them."""
        return [request.model for request in self.transport.requests]

    def rows(self, model: str) -> list[float]:
        """The rows that reached a model."""
        return [
            value
            for request in self.transport.requests
            if request.model == model
            for value in request.inputs["x"].ravel().tolist()
        ]

    @staticmethod
    async def until(condition: Callable[[], bool]) -> None:
        """Wait for what a call in the background does."""
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110, what happens sets no event
                await asyncio.sleep(0.001)

    @staticmethod
    def request(*values: float, **fields: Any) -> InferRequest:
        x = np.array(values or (1,), dtype=np.float32).reshape(-1, 1)
        return InferRequest(**{"model": "m", "inputs": {"x": x}, **fields})


def first_column(response: InferResponse) -> list[float]:
    return [round(value, 4) for value in response["y"][:, 0].tolist()]


@pytest.fixture
def ways() -> Ways:
    return Ways()


@pytest.fixture(scope="session")
def ways_of() -> type[Ways]:
    return Ways
