"""What has no form of its own in an answer of the client."""

from __future__ import annotations

import numpy as np
import pytest

from tritonkit.client.signature import Signature, TensorSpec
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


class Models:
    """A client whose model has one BF16 output."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def signature(
        self, model: str, version: str = "", *, timeout: str | float | None = None
    ) -> Signature:
        self.asked += 1
        if self.away:
            raise ServerUnavailable("away")
        outputs = {
            name: TensorSpec(name=name, datatype=datatype, shape=(-1,))
            for name, datatype in (("y", "BF16"), ("z", "FP32"))
        }
        return Signature(model=model, inputs={}, outputs=outputs, max_batch_size=0)


async def test_a_model_is_asked_once_for_its_types() -> None:
    models = Models()
    types = Bfloat16(models.signature)
    assert types.now(answer(y=np.zeros(1, np.int32))) == frozenset()
    response = answer(y=np.zeros(1, np.float32))
    assert types.now(response) is None
    assert await types(response) == {"y"}
    assert types.now(response) == {"y"}
    assert await types(response) == {"y"}
    assert models.asked == 1


@pytest.mark.parametrize("known", [True, False])
async def test_nobody_tells(known: bool) -> None:
    """What was known last counts."""
    models = Models()
    now = 0.0
    types = Bfloat16(models.signature, clock=lambda: now)
    response = answer(y=np.zeros(1, np.float32))
    if known:
        await types(response)
    models.away, now = True, 1000.0
    assert await types(response) == ({"y"} if known else set())
