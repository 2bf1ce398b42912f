"""Whole requests and responses, without a server; test_client.py has the real one."""

from __future__ import annotations

import json
from time import monotonic
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from tritonkit.client.types import InferRequest, Parameter
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import (
    decode_infer,
    decode_json,
    encode_get,
    encode_infer,
    model_path,
)
from tritonkit.client.wire.datatypes import datatype_of
from tritonkit.client.wire.http1 import Reply
from tritonkit.errors import DeadlineExceeded, InvalidInput, ProtocolError

ADDRESS = Address("http", "localhost", 8000, "/prefix")
X = np.arange(6, dtype=np.float32).reshape(2, 3)
TEXTS = np.array([["é", b"\xff\0", ""]], dtype=np.object_)
EMPTY = np.zeros((0, 4), dtype=np.int64)


def taken_apart(message: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    return line, dict(line.split(": ") for line in lines), body


def their_body(request: InferRequest) -> tuple[bytes, int]:
    inputs = []
    for name, array in request.inputs.items():
        tensor = InferInput(name, array.shape, datatype_of(array.dtype))
        inputs.append(tensor.set_data_from_numpy(array))
    parameters = dict(request.parameters)
    body, json_size = InferenceServerClient.generate_request_body(
        inputs,
        outputs=[InferRequestedOutput(name) for name in request.outputs or ()],
        request_id=request.id,
        timeout=parameters.pop("timeout", None),
        parameters=parameters,
    )
    return body, json_size


@pytest.mark.parametrize(
    "request_",
    [
        InferRequest(model="m", inputs={"x": X}),
        InferRequest(model="m", inputs={"x": X}, outputs=("y", "z")),
        InferRequest(model="m", inputs={"x": X, "texts": TEXTS, "empty": EMPTY}, id='a"b'),
        InferRequest(model="m", inputs={"a\n": X}, parameters={"timeout": 17}),
        InferRequest(model="m", inputs={}, outputs=()),
    ],
)
def test_a_body_is_byte_for_byte_what_tritonclient_sends(request_: InferRequest) -> None:
    _, headers, body = taken_apart(encode_infer(request_, ADDRESS))
    theirs, json_size = their_body(request_)
    assert body == theirs
    assert int(headers["Content-Length"]) == len(body)
    if json_size is not None:
        assert int(headers["Inference-Header-Content-Length"]) == json_size


def test_names_beyond_ascii_are_the_same_json() -> None:
    """tritonclient writes the digits of an escape in upper case."""
    request = InferRequest(model="m", inputs={"é": X}, outputs=("ü",), id="😀")
    _, _, body = taken_apart(encode_infer(request, ADDRESS))
    theirs, json_size = their_body(request)
    assert json.loads(body[:json_size]) == json.loads(theirs[:json_size])
    assert body[json_size:] == theirs[json_size:]


def test_parameters_are_what_tritonclient_sends() -> None:
    """It puts its flag before the user's parameters; JSON objects have no order."""
    parameters: dict[str, Parameter] = {"a": 1, "b": True, "c": 1.5, "d": "1", "e": 2**63 - 1}
    request = InferRequest(model="m", inputs={"x": X}, parameters=parameters)
    _, headers, body = taken_apart(encode_infer(request, ADDRESS))
    theirs, json_size = their_body(request)
    size = int(headers["Inference-Header-Content-Length"])
    ours = json.loads(body[:size])
    assert ours == json.loads(theirs[:json_size])
    assert {name: type(value) for name, value in ours["parameters"].items()} == {
        "a": int,
        "b": bool,
        "c": float,
        "d": str,
        "e": int,
        "binary_data_output": bool,
    }
    assert body[size:] == theirs[json_size:]


def test_equal_parameters_of_different_types_are_different_requests() -> None:
    bodies = {
        encode_infer(InferRequest(model="m", inputs={"x": X}, parameters={"a": value}), ADDRESS)
        for value in (1, 1.0, True, "1")
    }
    assert len(bodies) == 4


def test_the_head_names_the_model_and_the_version() -> None:
    request = InferRequest(model="a/b ü", version="3", inputs={"x": X})
    line, headers, _ = taken_apart(encode_infer(request, ADDRESS, b"Authorization: Bearer t\r\n"))
    assert line == "POST /prefix/v2/models/a%2Fb%20%C3%BC/versions/3/infer HTTP/1.1"
    assert headers["Host"] == "localhost:8000"
    assert headers["Authorization"] == "Bearer t"


def test_a_get_request() -> None:
    line, headers, body = taken_apart(encode_get(model_path("m"), ADDRESS, b"A: b\r\n"))
    assert (line, body) == ("GET /prefix/v2/models/m HTTP/1.1", b"")
    assert headers == {"Host": "localhost:8000", "A": "b"}


def test_a_deadline_goes_along_in_microseconds() -> None:
    request = InferRequest(
        model="m", inputs={"x": X}, parameters={"a": 1}, deadline=monotonic() + 10
    )
    _, headers, body = taken_apart(encode_infer(request, ADDRESS))
    head = json.loads(body[: int(headers["Inference-Header-Content-Length"])])
    assert 9e6 < head["parameters"]["timeout"] <= 10e6
    assert head["parameters"]["a"] == 1


def test_a_timeout_of_the_users_own_stays() -> None:
    request = InferRequest(
        model="m", inputs={"x": X}, parameters={"timeout": 5}, deadline=monotonic() + 10
    )
    assert b'"timeout":5,' in encode_infer(request, ADDRESS)


def test_a_passed_deadline_sends_nothing() -> None:
    request = InferRequest(model="m", inputs={"x": X}, deadline=monotonic() - 1)
    with pytest.raises(DeadlineExceeded) as error:
        encode_infer(request, ADDRESS)
    assert error.value.model == "m"


@pytest.mark.parametrize("value", [None, [1], float("nan"), float("inf"), b"bytes"])
def test_a_parameter_that_json_or_triton_cannot_hold(value: Any) -> None:
    with pytest.raises(InvalidInput, match="parameter"):
        encode_infer(InferRequest(model="m", inputs={"x": X}, parameters={"a": value}), ADDRESS)


def test_an_input_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"'when'.*datetime64"):
        encode_infer(InferRequest(model="m", inputs={"when": X.astype("M8[s]")}), ADDRESS)
    words = np.array([None], dtype=np.object_)
    with pytest.raises(InvalidInput, match=r"'words'.*None"):
        encode_infer(InferRequest(model="m", inputs={"words": words}), ADDRESS)


def reply(head: Any, binary: bytes = b"", **headers: str) -> Reply:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    if binary:
        headers["inference-header-content-length"] = str(len(text))
    return Reply(200, headers, memoryview(text + binary))


def output(**fields: Any) -> dict[str, Any]:
    tensor = {"name": "y", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 4}}
    return {"model_name": "m", "model_version": "1", "outputs": [{**tensor, **fields}]}


def test_a_binary_answer() -> None:
    head = {**output(shape=[2, 3], parameters={"binary_data_size": 24}), "id": "7"}
    head["parameters"] = {"a": True, "b": 1}
    response = decode_infer(reply(head, X.tobytes()), "m")
    assert (response.model, response.version, response.id) == ("m", "1", "7")
    assert response.parameters == {"a": True, "b": 1}
    np.testing.assert_array_equal(response["y"], X)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "expected"),
    [
        ("FP32", [2], [0.1, 2], np.array([0.1, 2], dtype=np.float32)),
        ("FP32", [2, 1], [[0.1], [2]], np.array([[0.1], [2]], dtype=np.float32)),
        ("UINT64", [1], [2**64 - 1], np.array([2**64 - 1], dtype=np.uint64)),
        ("BOOL", [2], [True, False], np.array([True, False])),
        ("BYTES", [1, 2], ["é", ""], np.array([["é".encode(), b""]], dtype=np.object_)),
        ("INT32", [0, 3], [], np.zeros((0, 3), dtype=np.int32)),
    ],
)
def test_a_json_answer(datatype: str, shape: list[int], data: Any, expected: Any) -> None:
    head = output(datatype=datatype, shape=shape, data=data, parameters={})
    array = decode_infer(reply(head), "m")["y"]
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


def test_json_and_binary_outputs_in_one_answer() -> None:
    head = output()
    head["outputs"].insert(0, {"name": "j", "datatype": "INT8", "shape": [1], "data": [5]})
    response = decode_infer(reply(head, b"\0\0\x80\x3f"), "m")
    assert (response["j"].tolist(), response["y"].tolist()) == ([5], [1.0])


@pytest.mark.parametrize(
    "wrong",
    [
        reply(b"not json"),
        reply(b"[1]"),
        reply(b"{}"),
        reply(b"[" * 100_000),
        reply(b"\xff\xfe{"),
        reply({"model_name": 1, "outputs": []}),
        reply({"model_name": "m", "outputs": {"y": 1}}),
        reply(output(shape=[-1]), b"1234"),
        reply(output(shape=[True]), b"1234"),
        reply(output(shape="1"), b"1234"),
        reply(output(datatype="FP128"), b"1234"),
        reply(output(datatype=None), b"1234"),
        reply(output(parameters={"binary_data_size": -4}), b"1234"),
        reply(output(parameters={"binary_data_size": "4"}), b"1234"),
        reply(output(parameters={"binary_data_size": 8}), b"1234"),
        reply(output(shape=[2]), b"1234"),
        reply(output(), b"12345"),
        reply(output()),
        reply(output(parameters={})),
        reply(output(parameters={}, data=[1, 2])),
        reply(output(parameters={}, data=["a"])),
        reply(output(parameters={}, datatype="INT8", data=[1000])),
        reply(output(parameters={}, datatype="BYTES", data=[1])),
        Reply(200, {"inference-header-content-length": "x"}, memoryview(b"{}")),
        Reply(200, {"inference-header-content-length": "-1"}, memoryview(b"{}")),
        Reply(200, {"inference-header-content-length": "3"}, memoryview(b"{}")),
        Reply(200, {}, memoryview(b"")),
    ],
)
def test_an_answer_that_is_not_the_protocols(wrong: Reply) -> None:
    with pytest.raises(ProtocolError) as error:
        decode_infer(wrong, "m")
    assert error.value.model == "m"


@given(st.binary(max_size=60), st.integers(0, 70))
def test_any_body_is_read_or_refused(body: bytes, size: int) -> None:
    with pytest.raises(ProtocolError):
        decode_infer(
            Reply(200, {"inference-header-content-length": str(size)}, memoryview(body)), "m"
        )


def test_the_reason_of_a_refusal_is_passed_on() -> None:
    for body, reason in (
        (b'{"error":"says no"}', "says no"),
        (b"<h1>nginx</h1>", "nginx"),
        (b"", "no reason"),
        (b"\xff", "\ufffd"),
        (b'{"error":5}', '"error":5'),
        (b"[1]", r"\[1\]"),
    ):
        for decode in (decode_infer, decode_json):
            with pytest.raises(InvalidInput, match=reason):
                decode(Reply(400, {}, memoryview(body)), "m")


def test_a_redirect_says_where_to() -> None:
    with pytest.raises(ProtocolError, match="https://elsewhere"):
        decode_json(Reply(302, {"location": "https://elsewhere"}, memoryview(b"")))
