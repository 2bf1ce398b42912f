"""What layers can carry, and what goes on as it came."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.errors import InvalidInput
from tritonkit.gateway.protocol.asked import Asked, Form, Opaque
from tritonkit.gateway.protocol.decode import decode
from tritonkit.gateway.protocol.depth import DEEPEST, check_depth

if TYPE_CHECKING:
    from conftest import Ask

PATH = b"/v2/models/echo/infer"
ONE = {"name": "IN_FP32", "shape": [1, 1], "datatype": "FP32", "data": [1]}
BINARY = {k: v for k, v in ONE.items() if k != "data"} | {"parameters": {"binary_data_size": 4}}


def body(**fields: Any) -> bytes:
    return json.dumps({"inputs": [ONE]} | fields).encode()


def one(**fields: Any) -> bytes:
    given = {k: v for k, v in (ONE | fields).items() if v is not ...}
    return body(inputs=[given])


def headers(length: int | bytes) -> list[tuple[bytes, bytes]]:
    value = length if isinstance(length, bytes) else b"%d" % length
    return [(b"host", b"h"), (b"inference-header-content-length", value)]


def test_a_request() -> None:
    inputs = [BINARY | {"name": "x"}, ONE | {"name": "y", "shape": [2, 1], "data": [[1], 2.5]}]
    outputs = [{"name": "b", "parameters": {"binary_data": True}}, {"name": "a"}]
    parameters = {"z": 1, "timeout": 5, "a": "x", "b": True, "binary_data_output": True}
    head = body(id="7", inputs=inputs, outputs=outputs, parameters=parameters)
    text = head + np.float32(3).tobytes()
    asked = decode(
        headers(len(head)),
        b"/v2/models/m/versions/12/infer",
        text,
        scope="s",
        tags={"tenant": "t"},
        deadline=1.5,
    )
    assert isinstance(asked, Asked)
    request = asked.request
    assert (request.model, request.version, request.id) == ("m", "12", "7")
    assert (request.scope, request.tags, request.deadline) == ("s", {"tenant": "t"}, 1.5)
    assert list(request.parameters.items()) == [("z", 1), ("timeout", 5), ("a", "x"), ("b", True)]
    assert request.outputs == ("b", "a")
    assert asked.form == Form({"b": True, "a": False}, others=True)
    assert list(request.inputs) == ["x", "y"]
    assert request.inputs["x"].tolist() == [[3.0]]
    assert request.inputs["y"].tolist() == [[1.0], [2.5]]
    assert request.inputs["x"].base is not None, "no copy"
    assert request.inputs["y"].dtype == np.float32


@pytest.mark.parametrize("id", ["1", "a-b_c.d:e", "ümläut", 'quo"te', "back\\slash", "", "é"])
def test_ids(ask: Ask, id: str) -> None:
    """Heads are kept without their ids."""
    for compact in (True, False):
        separators = (",", ":") if compact else None
        head = json.dumps({"id": id, "inputs": [BINARY]}, separators=separators).encode()
        text = head + b"1234"
        asked = decode(headers(len(head)), PATH, text)
        assert isinstance(asked, Asked)
        assert asked.request.id == id
        assert ask.through(text, len(head)) == ask.direct(text, len(head))


FORMLESS = {"name": "OUT_FP32", "parameters": {"binary_data": 1}}
WRONG = {
    "half of a JSON": b'{"inputs":[',
    "no JSON": b"hello",
    "nothing in it": b"{}",
    "inputs are no list": body(inputs={}),
    "no data": one(data=...),
    "data and size": one(parameters={"binary_data_size": 4}),
    "a size of text": one(data=..., parameters={"binary_data_size": "4"}),
    "a size below 0": one(data=..., parameters={"binary_data_size": -4}),
    "bytes that are not there": one(data=..., parameters={"binary_data_size": 4}),
    "no name": one(name=...),
    "a name of a number": one(name=5),
    "no shape": one(shape=...),
    "a negative shape": one(shape=[1, -1]),
    "a shape of fractions": one(shape=[1, 1.0]),
    "data is a number": one(data=1),
    "too few values": one(data=[]),
    "too many values": one(data=[1, [2]]),
    "a text among numbers": one(data=["1"]),
    "true among numbers": one(data=[True]),
    "null among numbers": one(data=[None]),
    "an object among numbers": one(data=[{}]),
    "a fraction among integers": one(name="IN_INT8", datatype="INT8", data=[1.0]),
    "more than 64 bits": one(name="IN_INT64", datatype="INT64", data=[2**63]),
    "below 0": one(name="IN_UINT8", datatype="UINT8", data=[-1]),
    "1 for true": one(name="IN_BOOL", datatype="BOOL", data=[1]),
    "a number for a text": one(name="IN_STRING", datatype="BYTES", data=[1]),
    "half of a character": one(name="IN_STRING", datatype="BYTES", data=["\ud800"]),
    "FP16": one(name="IN_FP16", datatype="FP16"),
    "BF16": one(name="IN_BF16", datatype="BF16"),
    "an input twice": body(inputs=[ONE, ONE]),
    "an id of a number": body(id=5),
    "a null parameter": body(parameters={"a": None}),
    "a list as a parameter": body(parameters={"a": [1]}),
    "a timeout below 0": body(parameters={"timeout": -1}),
    "a priority of text": body(parameters={"priority": "1"}),
    "Triton's own parameter": body(parameters={"triton_x": 1}),
    "a form of text": body(parameters={"binary_data_output": "true"}),
    "outputs are no list": body(outputs={}),
    "an output's name of a number": body(outputs=[{"name": 5}]),
    "an output's form of text": body(outputs=[FORMLESS]),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_by_triton(ask: Ask, text: bytes) -> None:
    """So it may go on where every inference is accounted for."""
    found = decode([], PATH, text)
    assert isinstance(found, Opaque)
    assert found.wrong
    assert ask.direct(text).status >= 400


SHARED = {"shared_memory_region": "r", "shared_memory_byte_size": 4}
OUTPUT = {"name": "OUT_FP32"}
CANNOT = {
    "shared memory": one(data=..., parameters=SHARED),
    "an output in shared memory": body(outputs=[OUTPUT | {"parameters": SHARED}]),
    "classes": body(outputs=[OUTPUT | {"parameters": {"classification": 2}}]),
    "a sequence": body(parameters={"sequence_id": 1, "sequence_start": True}),
    "an unknown field": body(other=1),
    "an unknown field of an input": one(other=1),
    "an unknown parameter of an input": one(parameters={"other": 1}),
    "an unknown parameter of an output": body(outputs=[OUTPUT | {"parameters": {"other": 1}}]),
    "a key twice": b'{"id":"a","id":"b",' + body()[1:],
    "an output twice": body(outputs=[OUTPUT, OUTPUT]),
    "an unknown datatype": one(datatype="FP8"),
    "a shape of nothing": one(shape=[]),
    "a shape beyond all": one(shape=[0, 2**62]),
    "a shape that no array can have": one(shape=[0, 2**61], data=[]),
    "more dimensions than an array can have": one(shape=[1] * 70),
    # A product that takes minutes.
    "very many dimensions": one(shape=[2**61] * 200_000),
    "more inputs than any model has": body(inputs=[ONE | {"name": f"{n}"} for n in range(1001)]),
    "a parameter of 64 bits and more": body(parameters={"a": 2**63}),
    "a name with a NUL": one(name="IN\0"),
    "Inf": body().replace(b"[1]}", b"[Inf]}"),
    "-NaN": body().replace(b"[1]}", b"[-NaN]}"),
    "an integer beyond 64 bits": one(data=[2**64]),
    "a number beyond all": body().replace(b"[1]}", b"[1e400]}"),
    "bytes that are no UTF-8": body(id="X").replace(b"X", b"\xff"),
    "a list": b"[]",
    "an input is no object": body(inputs=[5]),
    "parameters are no object": body(parameters=[]),
    "nothing": b"",
    "too few texts": one(name="IN_STRING", datatype="BYTES", data=["a"], shape=[1, 2]),
}


@pytest.mark.parametrize("text", CANNOT.values(), ids=CANNOT)
def test_what_layers_cannot_carry(text: bytes) -> None:
    found = decode([], PATH, text)
    assert isinstance(found, Opaque)
    assert found.reason
    assert not found.wrong


@pytest.mark.parametrize(
    ("parameters", "sequence"),
    [
        ({"sequence_id": 7}, "7"),
        ({"sequence_start": True, "sequence_id": 2**64 - 1}, str(2**64 - 1)),
        ({"sequence_id": "a", "sequence_end": True}, "a"),
        ({"sequence_id": 0}, ""),
        ({"sequence_id": ""}, ""),
        ({"sequence_id": True}, ""),
        ({"sequence_start": True}, ""),
        ({}, ""),
    ],
)
@pytest.mark.parametrize("more", [{}, {"other": 1}], ids=["", "unknown field"])
def test_the_steps_of_a_sequence_belong_together(
    parameters: dict[str, Any], sequence: str, more: dict[str, Any]
) -> None:
    fields = {"parameters": parameters, "outputs": 5} | more
    head = body(inputs=[BINARY], **fields)
    # A head with bytes after it is kept.
    for _ in range(2):
        found = decode(headers(len(head)), PATH, head + b"1234")
        assert isinstance(found, Opaque)
        assert found.sequence == sequence
    found = decode([], PATH, body(**fields))
    assert isinstance(found, Opaque)
    assert found.sequence == sequence


def test_nothing_keeps_a_body() -> None:
    """Heads are kept, whether they are understood or not."""
    for more in ({}, {"parameters": {"sequence_id": 7}}, {"other": 1}, {"id": "-"}):
        head = body(inputs=[BINARY | {"name": "kept"}], **more)
        text = memoryview(head + b"1234").tobytes()
        before = sys.getrefcount(text)
        decode(headers(len(head)), PATH, text)
        assert sys.getrefcount(text) == before


@pytest.mark.parametrize("shape", [[0, 2**61], [1] * 70, [2**61] * 200_000])
def test_shapes_of_bytes_that_no_array_can_have(shape: list[int]) -> None:
    head = body(inputs=[BINARY | {"shape": shape}])
    assert isinstance(decode(headers(len(head)), PATH, head + b"1234"), Opaque)


@pytest.mark.parametrize(
    "path",
    [
        b"/v2/models/a%20b/infer",
        b"/v2/models/a:b/infer",
        b"/v2/models/\xc3\xa4/infer",
        b"/v2/models//infer",
        b"/v2/models/m/versions/x/infer",
        b"/v2/models/m/versions/1234567890123456789/infer",
        b"/v2/models/m/infer/",
        b"/v2/models/m/ready",
        b"/v3/models/m/infer",
    ],
)
def test_paths_of_no_model_that_is_asked_for_by_its_name(path: bytes) -> None:
    assert isinstance(decode([], path, body()), Opaque)


@pytest.mark.parametrize("length", [b"0", b"x", b"-1", b"", b"99999", b"9" * 30, "²".encode()])
def test_lengths_that_are_none(ask: Ask, length: bytes) -> None:
    assert isinstance(decode(headers(length), PATH, body()), Opaque)


def test_two_lengths() -> None:
    """Triton reads the first."""
    twice = [*headers(len(body())), *headers(len(body()))]
    assert isinstance(decode(twice, PATH, body()), Opaque)


@pytest.mark.parametrize("length", [len(body()) - 1, len(body())])
def test_bytes_that_are_left(ask: Ask, length: int) -> None:
    found = decode(headers(length), PATH, body() + b"1")
    assert isinstance(found, Opaque)
    assert found.wrong
    assert ask.direct(body() + b"1", length).status >= 400


def test_what_would_take_a_server_down() -> None:
    """Triton reads by recursion; whatever it is a part of, it does not go on."""
    deep = b"[" * (DEEPEST + 1)
    for text in (deep, b'{"x":%s' % deep, b'{"a":Inf,"x":%s' % deep, b'"\\"",%s' % deep):
        with pytest.raises(InvalidInput, match="deep"):
            decode([], PATH, text)
        with pytest.raises(InvalidInput, match="deep"):
            decode(headers(b"+7"), PATH, text)
    flat = body(other=[[1]] * 2000, text="[" * 5000, id='"' + "{" * 2000)
    assert isinstance(decode([], PATH, flat), Opaque)
    check_depth(b"[" * DEEPEST)
    assert isinstance(decode([], PATH, one(data=[[[[[1]]]]])), Asked)
