"""What a request tells about itself."""

from __future__ import annotations

import pytest

from tritonkit.client.types import InferRequest, Parameter


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, False),
        ({"other": 1}, False),
        ({"sequence_id": 7}, True),
        ({"sequence_id": "user"}, True),
        # As Triton has it, these are no sequence.
        ({"sequence_id": 0}, False),
        ({"sequence_id": ""}, False),
        ({"sequence_id": 0, "sequence_start": False, "sequence_end": False}, False),
        # The server's to refuse.
        ({"sequence_start": True}, True),
        ({"sequence_id": 0, "sequence_end": True}, True),
    ],
)
def test_a_step_of_a_sequence(parameters: dict[str, Parameter], expected: bool) -> None:
    assert InferRequest(model="m", inputs={}, parameters=parameters).in_sequence is expected
