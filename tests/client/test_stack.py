from __future__ import annotations

import numpy as np
import pytest

from tritonkit.client import (
    AsyncClient,
    Endpoints,
    Hedge,
    InferRequest,
    InferResponse,
    Layer,
    Limit,
    LocalJobs,
    Retry,
    Route,
    Service,
    Stack,
    Tiers,
)
from tritonkit.client.placement import placements
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.errors import ServerUnavailable

REQUEST = InferRequest(model="m", inputs={})


class Tag(Layer):
    def __init__(self, tag: str) -> None:
        self.tag = tag

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        response = await inner(request)
        return InferResponse(model=f"{self.tag}({response.model})", outputs=response.outputs)

    def __repr__(self) -> str:
        return self.tag


async def answer(request: InferRequest) -> InferResponse:
    return InferResponse(model=request.model, outputs={"y": np.zeros(1)})


async def test_the_first_layer_is_outermost() -> None:
    assert (await Stack(answer, [Tag("a"), Tag("b")])(REQUEST)).model == "a(b(m))"


async def test_a_stack_is_a_service() -> None:
    inner = Stack(answer, [Tag("b")])
    assert (await Stack(inner, [Tag("a")])(REQUEST)).model == "a(b(m))"
    await inner.aclose()


def test_prints_flat() -> None:
    stack = Stack(Stack(Tag("t"), [Tag("b")]), [Tag("a")])  # type: ignore[arg-type]
    assert repr(stack) == "Stack(a > b > t)"


async def test_a_layer_that_fails_to_close_keeps_no_other_open() -> None:
    class Closing(Tag):
        async def aclose(self) -> None:
            closed.append(self.tag)
            if self.tag == "a":
                raise OSError("a")

    closed: list[str] = []
    with pytest.raises(OSError, match="a"):
        await Stack(answer, [Closing("a"), Closing("b")]).aclose()
    assert closed == ["a", "b"]


class Failing(FakeTransport):
    """Nothing closes without an error."""

    def __init__(self) -> None:
        super().__init__(lambda request: {}, inputs={"x": [1]}, outputs={"y": [1]})

    async def aclose(self) -> None:
        await super().aclose()
        raise OSError("lost")


async def test_a_server_that_fails_to_close_keeps_nothing_open() -> None:
    servers = [Failing() for _ in range(6)]
    main, beside, one, other, hedged, hedged_too = servers
    layers = [
        Hedge(routes=[Route("c", server=hedged), Route("d", server=hedged_too)]),
        Tiers(Route("a", server=Endpoints(one, other)), Route("b", server=beside)),
    ]
    closed: list[str] = []

    class Board(LocalJobs):
        async def aclose(self) -> None:
            closed.append("jobs")

    with pytest.raises(OSError, match="lost"):
        await AsyncClient(main, layers, jobs=Board()).aclose()
    assert all(server.closed for server in servers)
    assert closed == ["jobs"]


async def test_a_layer_that_fails_to_close_keeps_its_routes_server_not_open() -> None:
    class Closing(Tag):
        async def aclose(self) -> None:
            raise OSError("a")

    server = FakeTransport(lambda request: {}, inputs={"x": [1]}, outputs={"y": [1]})
    with pytest.raises(OSError, match="a"):
        await Route("r", layers=[Closing("a")], server=server).aclose()
    assert server.closed


async def test_a_client_in_a_layer_of_another_one_is_guarded_by_itself() -> None:
    """It retries what fails, and its requests take no places in the other one's Limit."""
    wished = []

    def once(request: InferRequest) -> dict[str, np.ndarray]:
        wished.append(placements.get())
        if len(wished) == 1:
            raise ServerUnavailable("for a moment")
        return {"y": np.zeros((1, 1), np.float32)}

    class Several(FakeTransport):
        several = True

    within = AsyncClient(
        FakeTransport(once, inputs={"x": [1]}, outputs={"y": [1]}), [Retry(base=0)]
    )

    class Asks(Tag):
        async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
            await within.infer("inside", {"x": [0.0]})
            return await inner(request)

    outer = Several(
        lambda request: {"y": np.zeros((1, 1), np.float32)}, inputs={"x": [1]}, outputs={"y": [1]}
    )
    async with within, AsyncClient(outer, [Retry(), Limit(), Asks("a")]) as client:
        await client.infer("m", {"x": [0.0]})
    assert wished == [(), ()]
    assert len(outer.requests) == 1
