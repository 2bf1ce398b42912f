"""The tests that every layer must pass, ours or a third party's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from time import monotonic
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client.stack import Layer, Stack
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.errors import DeadlineExceeded, InvalidInput

__all__ = ["LayerTests"]

_MODEL = "doubles"


def _doubled(request: InferRequest) -> Mapping[str, NDArray[Any]]:
    return {"y": request.inputs["x"] * 2}


def _request(*values: float, **options: Any) -> InferRequest:
    x = np.array(values, dtype=np.float32)[:, None]
    return InferRequest(model=_MODEL, inputs={"x": x}, **options)


@pytest.mark.asyncio
class LayerTests:
    """
    Holds a layer to what a stack expects of it. Needs pytest and pytest-asyncio.

    Derive a class whose name begins with Test, and say how the layer is made:

        class TestLogging(LayerTests):
            def make(self):
                return Logging()

    The model below has one input x and one output y, twice as large, a number a
    row; each row is answered by itself, and the configuration says so.
    """

    def make(self) -> Layer:
        """The layer under test, as a user would make it."""
        raise NotImplementedError

    def transport(self, handler: Any = _doubled) -> FakeTransport:
        """What the layer stands over."""
        parameters = {
            "tritonkit.batch_invariant": {"string_value": "true"},
            "tritonkit.model_digest": {"string_value": "doubles"},
        }
        return FakeTransport(
            handler, inputs={"x": (1,)}, outputs={"y": (1,)}, config={"parameters": parameters}
        )

    async def test_the_answer_is_the_models(self) -> None:
        """Values, their order, the name of the model and the caller's id."""
        stack = Stack(self.transport(), [self.make()])
        answer = await stack(_request(3, 1, 2, id="i7"))
        assert answer["y"].tolist() == [[6.0], [2.0], [4.0]]
        assert (answer.model, answer.id) == (_MODEL, "i7")
        await stack.aclose()

    async def test_each_caller_gets_his_own_answer(self) -> None:
        """Fifty at the same time, some of them asking for the same."""

        async def later(request: InferRequest) -> Mapping[str, NDArray[Any]]:
            await asyncio.sleep(0.001 * (int(request.inputs["x"][0, 0]) % 3))
            return _doubled(request)

        stack = Stack(self.transport(later), [self.make()])
        values = [float(number % 20) for number in range(50)]
        calls = [stack(_request(value, id=f"{n}")) for n, value in enumerate(values)]
        answers = await asyncio.gather(*calls)
        assert [answer["y"].item() for answer in answers] == [2 * value for value in values]
        assert [answer.id for answer in answers] == [f"{n}" for n in range(50)]
        await stack.aclose()

    async def test_wanted_outputs(self) -> None:
        """The names that were asked for, and no others."""
        stack = Stack(self.transport(), [self.make()])
        assert list(await stack(_request(1, outputs=("y",)))) == ["y"]
        await stack.aclose()

    async def test_what_is_wrong_with_a_request_reaches_the_caller(self) -> None:
        """No layer answers, or asks again, where the request itself is wrong."""

        def refuse(request: InferRequest) -> Any:
            raise InvalidInput("x is wrong", model=request.model)

        transport = self.transport(refuse)
        stack = Stack(transport, [self.make()])
        with pytest.raises(InvalidInput, match="x is wrong"):
            await stack(_request(1))
        assert len(transport.requests) == 1
        await stack.aclose()

    async def test_a_deadline_goes_on(self) -> None:
        """What is below knows when the answer is too late; never a later time."""
        transport = self.transport()
        stack = Stack(transport, [self.make()])
        deadline = monotonic() + 5
        await stack(_request(1, deadline=deadline))
        (sent,) = transport.requests
        assert sent.deadline is not None
        assert sent.deadline <= deadline
        await stack.aclose()

    async def test_cancellation(self) -> None:
        """It reaches what is below, and leaves the layer fit for the next call."""
        begun, cancelled = asyncio.Event(), asyncio.Event()

        async def hang(request: InferRequest) -> Any:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        transport = self.transport(hang)
        stack = Stack(transport, [self.make()])
        call = asyncio.ensure_future(stack(_request(1)))
        await asyncio.wait_for(begun.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(cancelled.wait(), 5)
        transport.handler = _doubled
        assert (await stack(_request(2)))["y"].item() == 4.0
        await stack.aclose()

    async def test_a_deadline_that_passes(self) -> None:
        """The caller is told in time, and the layer is fit for the next call."""

        async def slow(request: InferRequest) -> Any:
            await asyncio.sleep(max(0.0, request.remaining() or 0.0))
            raise DeadlineExceeded("too late", model=request.model)

        transport = self.transport(slow)
        stack = Stack(transport, [self.make()])
        with pytest.raises(DeadlineExceeded):
            await stack(_request(1, deadline=monotonic() + 0.05))
        transport.handler = _doubled
        assert (await stack(_request(2)))["y"].item() == 4.0
        await stack.aclose()

    async def test_an_answer_at_once_is_the_same_answer(self) -> None:
        """`now` gives what a call gives, or nothing; it asks nobody."""
        transport = self.transport()
        stack = Stack(transport, [self.make()])
        first = await stack(_request(1))
        asked = len(transport.requests)
        at_once = stack.now(_request(1))
        assert len(transport.requests) == asked
        assert at_once is None or at_once["y"].tolist() == first["y"].tolist()
        await stack.aclose()

    async def test_arrays_are_the_callers(self) -> None:
        """What he does to them after the answer changes nothing for others."""
        stack = Stack(self.transport(), [self.make()])
        request = _request(1, 2)
        answer = await stack(request)
        request.inputs["x"][:] = 9
        if answer["y"].flags.writeable:
            answer["y"][:] = 9
        again = await stack(replace(request, inputs=_request(1, 2).inputs))
        assert again["y"].tolist() == [[2.0], [4.0]]
        await stack.aclose()

    async def test_closing_twice(self) -> None:
        """The second time does nothing."""
        layer = self.make()
        layer.attach(self.transport())
        await layer.aclose()
        await layer.aclose()

    async def test_two_event_loops(self) -> None:
        """One after the other, as two calls of asyncio.run are."""
        stack = Stack(self.transport(), [self.make()])

        def ask() -> float:
            async def main() -> InferResponse:
                return await stack(_request(1))

            return float(asyncio.run(main())["y"].item())

        for _ in range(2):
            assert await asyncio.to_thread(ask) == 2.0
