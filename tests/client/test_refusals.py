"""What Triton's refusals mean; the texts are those of tritonserver 2.51."""

from __future__ import annotations

import pytest

from tritonkit.client.wire.errors import refusal
from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    ProtocolError,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "Request for unknown model: 'nope' is not found", ModelUnavailable),
        (404, "Request for unknown model: 'm' version 7 is not found", ModelUnavailable),
        (404, "Request for unknown model: 'm' has no available versions", ModelUnavailable),
        (400, "requested model 'm' is not available", ModelUnavailable),
        (400, "Model version not ready", ModelUnavailable),
        (
            503,
            "Server is stopping, scheduler for model has stopped accepting new inference requests",
            ModelUnavailable,
        ),
        (404, "Not Found", ProtocolError),
        (405, "Method Not Allowed", ProtocolError),
        (302, "", ProtocolError),
        (400, "unexpected inference input 'z' for model 'm'", InvalidInput),
        (400, "inference request batch-size must be <= 8 for 'm'", InvalidInput),
        (500, "failed to parse the request JSON buffer: Invalid value. at 0", InvalidInput),
        (500, "Unable to parse 'timeout': attempt to access JSON", InvalidInput),
        (501, "doesn't support models with decoupled transaction policy", InvalidInput),
        (401, "who are you", InvalidInput),
        (500, "Failed to process the request(s) for model 'm_0'", InferenceFailed),
        (404, "the model's own: no such row", InferenceFailed),
        (503, "Exceeds maximum queue size", ServerOverloaded),
        (429, "slow down", ServerOverloaded),
        (503, "Request timeout expired", DeadlineExceeded),
        (504, "upstream took too long", DeadlineExceeded),
        (502, "Bad Gateway", ServerUnavailable),
        (503, "no healthy upstream", ServerUnavailable),
    ],
)
def test_a_refusal_is_of_the_class_that_says_what_to_do(
    status: int, message: str, kind: type[RequestError]
) -> None:
    error = refusal(status, message, model="m")
    assert type(error) is kind
    assert message in str(error)
    assert error.model == "m"


def test_the_id_that_nobody_gave_is_left_out() -> None:
    error = refusal(503, "[request id: <id_unknown>] Exceeds maximum queue size", model="m")
    assert str(error) == "model 'm': Exceeds maximum queue size"
