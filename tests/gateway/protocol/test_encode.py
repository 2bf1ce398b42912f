"""What has no form of its own in an answer of the client."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tritonkit.client.layers.tiers.constant import CONSTANT
from tritonkit.client.trace import Trace
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.client.wire.datatypes import from_bfloat16
from tritonkit.errors import ServerUnavailable
from tritonkit.gateway.protocol.asked import Asked, Form
from tritonkit.gateway.protocol.bfloat16 import Bfloat16
from tritonkit.gateway.protocol.encode import encode

BINARY = Asked(InferRequest(model="m", inputs={}), Form(others=True))
JSON = Asked(InferRequest(model="m", inputs={}, id="7"), Form())


def answer(**outputs: np.ndarray) -> InferResponse:
    return InferResponse(model="m", version="1", outputs=outputs)


def test_every_bit_of_bfloat16() -> None:
    bits = np.arange(2**16, dtype="<u2").reshape(16, -1)
    body, length = encode(answer(y=from_bfloat16(bits)), BINARY, {"y"})
    assert length is not None
    assert body[:length] == (
        b'{"model_name":"m","model_version":"1","outputs":[{"name":"y","datatype":"BF16",'
        b'"shape":[16,4096],"parameters":{"binary_data_size":131072}}]}'
    )
    assert body[length:] == bits.tobytes()


def test_arrays_of_any_layout() -> None:
    """Layers may answer with slices, and with rows of other byte orders."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    narrow = (np.float32([0, 2, 8, 10]).view("<u4") >> 16).astype("<u2")
    for array in (x[::2, ::2], x.astype(">f4")[::2, ::2], np.asfortranarray(x[::2, ::2])):
        body, length = encode(answer(y=array), BINARY)
        assert body[length:] == x[::2, ::2].tobytes()
        assert encode(answer(y=array), JSON)[0].endswith(b'"data":[0.0,2.0,8.0,10.0]}]}')
        body, length = encode(answer(y=array), BINARY, {"y"})
        assert body[length:] == narrow.tobytes()


def test_texts_and_bytes() -> None:
    """A fallback may answer with texts."""
    array = np.array([["a\u20ac", b'"\xff\x01\\']], object)
    body, length = encode(answer(y=array), JSON)
    assert length is None
    assert body == (
        b'{"id":"7","model_name":"m","model_version":"1","outputs":[{"name":"y",'
        b'"datatype":"BYTES","shape":[1,2],"data":["a\xe2\x82\xac","\\"\xff\\u0001\\\\"]}]}'
    )


def test_parameters_by_their_types() -> None:
    """True is not 1, though Python's dictionaries take one for the other."""
    bodies = [
        encode(InferResponse(model="m", version="1", outputs={}, parameters={"a": value}), BINARY)[
            0
        ]
        for value in (True, 1, 1.0, "1", False)
    ]
    said = [body.partition(b'"a":')[2].partition(b"}")[0] for body in bodies]
    assert said == [b"true", b"1", b"1.0", b'"1"', b"false"]


def test_long_parameters_are_not_kept() -> None:
    text = "x" * 1000 + str(len(BINARY.request.inputs))
    before = sys.getrefcount(text)
    response = InferResponse(model="m", outputs={}, parameters={"a": text})
    assert text.encode() in encode(response, BINARY)[0]
    del response
    assert sys.getrefcount(text) == before


class Models:
    """A client whose model has BF16 outputs."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self.types: dict[str, str] | None = {"y": "BF16", "z": "FP32"}

    async def metadata(
        self, model: str, version: str = "", *, timeout: str | float | None = None
    ) -> dict[str, Any]:
        self.asked += 1
        if self.away:
            raise ServerUnavailable("away")
        if self.types is None:
            return {"name": model}
        outputs = [{"name": name, "datatype": each} for name, each in self.types.items()]
        return {"name": model, "outputs": outputs}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


WHOLE = np.array([[1, -2, np.inf, 0]], np.float32)
"""Numbers that BF16 has as well."""
FINE = np.array([1, 0.1], np.float32)


async def test_a_model_is_asked_once_for_its_types() -> None:
    models = Models()
    types = Bfloat16(models.metadata, clock=Clock())
    response = answer(y=WHOLE, z=WHOLE)
    assert types.now(response) is None
    assert await types(response) == {"y"}
    assert types.now(response) == {"y"}
    assert await types(response) == {"y"}
    assert models.asked == 1


@pytest.mark.parametrize("known", [True, False])
async def test_numbers_that_are_not_of_bfloat16_need_no_question(known: bool) -> None:
    """Whatever is known: the model may be another one by now."""
    models = Models()
    types = Bfloat16(models.metadata, clock=Clock())
    if known:
        assert await types(answer(y=WHOLE)) == {"y"}
    asked = models.asked
    many = np.ones((100, 2), np.float32)
    many[99] = 0.1
    for array in (FINE, many, np.zeros(1, np.int32), np.zeros(1), np.zeros(1, np.float16)):
        assert types.now(answer(y=array)) == frozenset()
    assert models.asked == asked


async def test_a_model_that_is_loaded_with_other_types() -> None:
    """It is known after a second."""
    models, clock = Models(), Clock()
    models.types = {"y": "FP32"}
    types = Bfloat16(models.metadata, clock=clock)
    response = answer(y=WHOLE)
    assert await types(response) == frozenset()
    models.types = {"y": "BF16"}
    assert types.now(response) == frozenset()
    clock.now = 1.0
    assert types.now(response) is None
    assert await types(response) == {"y"}


@pytest.mark.parametrize("metadata", [True, False])
async def test_nobody_tells(metadata: bool) -> None:
    """What was known last counts; where that is nothing, neither type is certain."""
    models, clock = Models(), Clock()
    types = Bfloat16(models.metadata, clock=clock)

    def away(now: bool) -> None:
        if metadata:
            models.types = None if now else {"y": "BF16"}
        else:
            models.away = now

    away(True)
    for _ in range(2):
        with pytest.raises(ServerUnavailable, match="y of model 'm' is BF16 or FP32"):
            await types(answer(y=WHOLE, z=FINE))
    assert await types(answer(y=FINE)) == frozenset()
    away(False)
    assert await types(answer(y=WHOLE)) == {"y"}
    away(True)
    clock.now = 1000.0
    assert await types(answer(y=WHOLE)) == {"y"}
    # Not with each answer.
    asked = models.asked
    assert types.now(answer(y=WHOLE)) == {"y"}
    assert models.asked == asked


async def test_only_one_asks_again() -> None:
    models, clock = Models(), Clock()
    types = Bfloat16(models.metadata, clock=clock)
    await types(answer(y=WHOLE))
    clock.now = 5.0
    assert await asyncio.gather(*[types(answer(y=WHOLE)) for _ in range(9)]) == [{"y"}] * 9
    assert models.asked == 2


async def test_a_last_resort_has_numbers_of_its_own() -> None:
    """They are rounded to the model's type, and are an answer whoever is away."""
    models, clock = Models(), Clock()
    types = Bfloat16(models.metadata, clock=clock)
    values = np.float32([[0.1, 1 / 3, 2]])
    response = InferResponse(
        model="m", outputs={"y": values}, trace=Trace(tiers=(CONSTANT,), degraded=CONSTANT)
    )
    models.away = True
    assert await types(response) == frozenset()
    # Where the server hangs, not every answer waits for it.
    assert types.now(response) == frozenset()
    assert models.asked == 1
    models.away, clock.now = False, 1.0
    assert await types(response) == {"y"}
    body, length = encode(response, BINARY, {"y"})
    assert length is not None
    assert body[length:] == values.astype(ml_dtypes.bfloat16).tobytes()
