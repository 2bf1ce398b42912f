"""Our layers pass the tests that are published for anybody's."""

from __future__ import annotations

from collections.abc import Awaitable
from time import monotonic

import numpy as np

from tritonkit.client import (
    Arm,
    Breaker,
    Budget,
    ByCost,
    Cache,
    Cascade,
    Coalesce,
    Deadline,
    Drift,
    FastThenAccurate,
    Hedge,
    InferRequest,
    InferResponse,
    Layer,
    Limit,
    Profile,
    Quota,
    Retry,
    Route,
    Service,
    Split,
    Stack,
    Telemetry,
    Tiers,
    Tokens,
)
from tritonkit.client.testing.layers import LayerTests


class TestNothing(LayerTests):
    """The least that a layer can be."""

    class Pass(Layer):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            answer: Awaitable[InferResponse] = inner(request)
            return await answer

    def make(self) -> Layer:
        return self.Pass()


class TestCache(LayerTests):
    def make(self) -> Layer:
        return Cache()


class TestTelemetry(LayerTests):
    def make(self) -> Layer:
        return Telemetry(tokens=Tokens(), spans=True)


class TestCoalesce(LayerTests):
    def make(self) -> Layer:
        return Coalesce()


class TestBreaker(LayerTests):
    def make(self) -> Layer:
        return Breaker()


class TestRetry(LayerTests):
    def make(self) -> Layer:
        return Retry()


class TestDeadline(LayerTests):
    def make(self) -> Layer:
        return Deadline("1s")


class TestDrift(LayerTests):
    def make(self) -> Layer:
        rows = np.arange(100, dtype=np.float32)[:, None]
        return Drift(Profile.of("doubles", {"x": rows}, {"y": rows * 2}), share=1)


class TestHedge(LayerTests):
    def make(self) -> Layer:
        return Hedge()


class TestLimit(LayerTests):
    def make(self) -> Layer:
        return Limit()


class TestFallback(LayerTests):
    def make(self) -> Layer:
        return Tiers(Route("accurate"), Route("fast"))


class TestCascade(LayerTests):
    def make(self) -> Layer:
        # A threshold of nothing: no row goes on, and the answer is the fast route's.
        sure = Cascade(score=lambda outputs: outputs["y"][:, 0] * 0.0 + 1.0, threshold=0.5)
        return Tiers(Route("accurate"), Route("fast"), strategy=sure)


class TestFastThenAccurate(LayerTests):
    def make(self) -> Layer:
        return Tiers(Route("accurate"), Route("fast"), strategy=FastThenAccurate(grace="5s"))

    async def test_a_deadline_goes_on(self) -> None:
        """The accurate answer is for later callers: it has a time of its own, and an end."""
        transport = self.transport()
        stack = Stack(transport, [self.make()])
        x = np.ones((1, 1), np.float32)
        now = monotonic()
        await stack(InferRequest(model="doubles", inputs={"x": x}, deadline=now + 5))
        (sent,) = transport.requests
        assert sent.deadline is not None
        assert now + 5 < sent.deadline < now + 3600
        await stack.aclose()


class TestByCost(LayerTests):
    def make(self) -> Layer:
        return Tiers(Route("accurate"), Route("fast"), strategy=ByCost(lambda request: True))


class TestBudget(LayerTests):
    def make(self) -> Layer:
        return Budget(Quota("1000 calls", per="user", window="1h"))


class TestSplit(LayerTests):
    def make(self) -> Layer:
        return Split("e", Arm("a"), Arm("b"))
