"""Cases of the rules on batching."""

from __future__ import annotations

from tests.repository.check.case import PYTHON, Case

TENSORS = """
input [{ name: "x" data_type: TYPE_FP32 dims: [4] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [4] }]
"""

CASES = [
    Case(
        "TK017",
        fails={
            "m/config.pbtxt": 'backend: "python"\nmax_batch_size: -1' + TENSORS,
            "m/1/model.py": PYTHON,
        },
        passes={
            "m/config.pbtxt": 'backend: "python"\nmax_batch_size: 0' + TENSORS,
            "m/1/model.py": PYTHON,
        },
        says="'max_batch_size' must be non-negative value for m",
        at="-1",
    ),
]
