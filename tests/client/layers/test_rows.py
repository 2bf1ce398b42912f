"""Rows of requests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tritonkit.client.layers.rows import count_rows
from tritonkit.client.types import InferRequest


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"x": np.zeros((3, 2))}, 3),
        ({"x": np.zeros((0, 2))}, 0),
        ({"x": np.float32(1)}, 1),
        ({}, 1),
        # Whatever the order in which they are named.
        ({"top_k": np.array([5]), "texts": np.zeros(32)}, 32),
        ({"texts": np.zeros(32), "top_k": np.array([5])}, 32),
        ({"top_k": np.int32(5), "texts": np.zeros(32)}, 32),
    ],
)
def test_as_many_as_the_request_tells(inputs: dict[str, Any], expected: int) -> None:
    assert count_rows(InferRequest(model="m", inputs=inputs)) == expected
