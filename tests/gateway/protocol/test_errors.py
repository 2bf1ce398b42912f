"""A refusal goes back as the server said it, and our own in its form."""

from __future__ import annotations

import json

import pytest

from tritonkit.client.transports.statuses import grpc_refusal
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import decode_infer, decode_json
from tritonkit.client.wire.http1 import Reply
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    LimitExceeded,
    ModelUnavailable,
    NotConnected,
    NotKept,
    ProtocolError,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)
from tritonkit.gateway.protocol.errors import encode_error

SAID = b'{"error":"[request id: 7] says \\"no\\""}'
JSON = (b"content-type", b"application/json")


def reply(status: int, body: bytes, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, memoryview(body))


@pytest.mark.parametrize("status", [400, 404, 500, 503])
@pytest.mark.parametrize("decode", [decode_infer, decode_json])
def test_a_servers_own_words(status: int, decode: object) -> None:
    answer = reply(status, SAID, content_type="text/plain")
    with pytest.raises(RequestError) as caught:
        decode(answer, "m")  # type: ignore[operator]
    error = caught.value
    assert (error.status, error.said) == (status, SAID)
    assert encode_error(error) == (status, SAID, [(b"content-type", b"text/plain")])


def test_the_type_of_an_answer_to_another_question() -> None:
    """An inference of an unknown model is refused as text, whoever asked for the model first."""
    said = b'{"error":"Request for unknown model: \'m\' is not found"}'
    with pytest.raises(ModelUnavailable) as caught:
        decode_json(reply(404, said, content_type="application/json"), "m")
    assert encode_error(caught.value) == (404, said, [(b"content-type", b"text/plain")])


@pytest.mark.parametrize("status", [204, 302, 308])
def test_what_is_no_refusal(status: int) -> None:
    """Nobody should follow a redirect around the gateway, or take a success for an answer."""
    with pytest.raises(ProtocolError) as caught:
        decode_infer(reply(status, b"<html>", location="http://elsewhere/"), "m")
    told, body, _ = encode_error(caught.value)
    assert told == 502
    assert f"status {status}" in json.loads(body)["error"]


def test_words_over_grpc() -> None:
    error = grpc_refusal(5, 'no "m"', Address.parse("grpc://h:1"), model="m")
    assert encode_error(error) == (404, b'{"error":"no \\"m\\""}', [JSON])
    error = grpc_refusal(14, "failed to connect to all addresses", Address.parse("grpc://h:1"))
    assert encode_error(error)[0] == 503


@pytest.mark.parametrize(
    ("error", "status", "after"),
    [
        (InvalidInput("x"), 400, None),
        (ModelUnavailable("x"), 404, None),
        (BudgetExceeded("x", retry_after=1.2), 429, b"2"),
        (BudgetExceeded("x", retry_after=0.0), 429, b"1"),
        (BudgetExceeded("x", retry_after=float("inf")), 429, b"86400"),
        (CircuitOpen("x", retry_after=3), 503, b"3"),
        (NotConnected("x"), 503, b"1"),
        (LimitExceeded("x"), 503, None),
        (ServerOverloaded("x"), 503, None),
        (NotKept("x"), 503, None),
        (ServerUnavailable("x"), 502, None),
        (ProtocolError("x"), 502, None),
        (DeadlineExceeded("x"), 504, None),
        (InferenceFailed("x"), 500, None),
        (RequestError("x"), 500, None),
    ],
)
def test_our_own(error: RequestError, status: int, after: bytes | None) -> None:
    told, body, headers = encode_error(error)
    assert told == status
    assert json.loads(body) == {"error": "x"}
    assert headers == [JSON] + ([] if after is None else [(b"retry-after", after)])


def test_any_text_is_json() -> None:
    _, body, _ = encode_error(InvalidInput('"\\\n\0\x1fé\ud800'.replace("\ud800", "\udcff")))
    assert json.loads(body.replace(b"\xff", b"")) == {"error": '"\\\n\0\x1fé'}
