"""What takes long does not keep others waiting."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from time import monotonic, perf_counter_ns
from typing import Any

import numpy as np
import pytest

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.cache.cache import Cache
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.testing.transport import FakeTransport
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.gateway.http import inference as module
from tritonkit.gateway.http.app import Admitted
from tritonkit.gateway.http.aside import long_to_read, long_to_write
from tritonkit.gateway.http.inference import Inference
from tritonkit.gateway.http.message import Answer, Head, Request
from tritonkit.gateway.http.paths import place
from tritonkit.gateway.protocol.asked import Asked, Form
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.tenants import Tenants
from tritonkit.gateway.upstream.forward import Forward

LENGTH = b"inference-header-content-length"
MANY = 50_000


def body(count: int, **fields: Any) -> bytes:
    x = {"name": "x", "shape": [1, count], "datatype": "FP32", "data": [0.1] * count}
    return json.dumps({"inputs": [x], **fields}).encode()


class Server(FakeTransport):
    forwards = True

    def __init__(self) -> None:
        super().__init__(lambda request: {"y": request.inputs["x"]}, inputs={}, outputs={"y": [-1]})


@pytest.fixture
async def inference() -> AsyncIterator[Inference]:
    telemetry = Telemetry("gateway")
    async with AsyncClient(Server(), [telemetry, Cache(identities={"m": "1"})]) as client:
        tenants = Tenants()
        yield Inference(
            Serving(client=client, telemetry=telemetry),
            tenants,
            Forward(client.transport),
            max_body=2**26,
            timeout=None,
            accounted=True,
        )
        tenants.close()


async def ask(inference: Inference, body: bytes) -> Answer:
    target = b"/v2/models/m/infer"
    head = Head("POST", target, "1.1", [], {}, None, place(target))
    tenants = inference._tenants
    tenant = tenants.admit({}, "infer")
    head.context = Admitted(tenant, tenants.marks(tenant, {}), monotonic())
    outcome = inference.answer(Request(head, body, perf_counter_ns()))
    answer = outcome if isinstance(outcome, Answer) else await outcome
    assert answer is not None
    return answer


@pytest.mark.parametrize("slow", ["decode", "encode", "look"])
async def test_others_go_on_meanwhile(
    inference: Inference, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    """What is slowed here waits for the event loop, which must be free for it."""
    free = threading.Event()
    call: Callable[..., Any] = getattr(module, slow)

    def slowed(*given: Any, **named: Any) -> Any:
        assert free.wait(30)
        return call(*given, **named)

    long = body(MANY, **({"other": 1} if slow == "look" else {}))
    # The second time it is kept, and written at once but for its length.
    for _ in range(2):
        monkeypatch.setattr(module, slow, slowed)
        free.clear()
        asking = asyncio.create_task(ask(inference, long))
        asyncio.get_running_loop().call_later(0.05, free.set)
        answer = await asking
        monkeypatch.setattr(module, slow, call)
        if slow == "look":
            assert answer.status == 403
        else:
            assert len(json.loads(answer.body)["outputs"][0]["data"]) == MANY
        assert (await ask(inference, body(2))).status == 200


async def test_what_is_wrong_is_told_as_ever(inference: Inference) -> None:
    answer = await ask(inference, b'{"x":"%s","inputs":%s' % (b" " * 100_000, b"[" * 2000))
    assert answer.status == 400
    assert b"deep" in answer.body


def test_what_is_long_to_read() -> None:
    long = bytes(100_000)
    assert long_to_read({}, long)
    assert long_to_read({LENGTH: b"0"}, long)
    assert long_to_read({LENGTH: b"x"}, long)
    assert long_to_read({LENGTH: b"90000"}, long)
    assert not long_to_read({LENGTH: b"100"}, long)
    assert not long_to_read({}, long[:1000])
    texts = b'{"datatype":"BYTES"}'
    assert long_to_read({LENGTH: b"%d" % len(texts)}, texts + long)
    hidden = b'{"datatype":"\\u0042YTES"}'
    assert long_to_read({LENGTH: b"%d" % len(hidden)}, hidden + long)


def test_what_is_long_to_write() -> None:
    def long(array: np.ndarray, form: Form) -> bool:
        request = InferRequest(model="m", inputs={})
        return long_to_write(InferResponse(model="m", outputs={"y": array}), Asked(request, form))

    many = np.zeros((100, 100))
    assert long(many, Form())
    assert not long(many, Form(others=True))
    assert long(many, Form({"y": False}, others=True))
    assert not long(many, Form({"y": True}))
    assert long(many.astype(object), Form(others=True))
    assert not long(many[:2], Form())
