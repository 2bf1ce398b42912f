"""A model that answers when it is told to."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from tritonkit.client import InferRequest
from tritonkit.client.testing.transport import FakeTransport


class Model:
    """y = 2 * x; answers when `gate` is open; fails with `failure`."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.at_work = 0
        self.most_at_work = 0
        self.transport = FakeTransport(self._answer, inputs={"x": (1,)}, outputs={"y": (1,)})

    async def _answer(self, request: InferRequest) -> dict[str, Any]:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await self.gate.wait()
        finally:
            self.at_work -= 1
        if self.failure is not None:
            raise self.failure
        return {"y": request.inputs["x"] * np.float32(2)}


@pytest.fixture
def model() -> Model:
    return Model()
