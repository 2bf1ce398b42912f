"""Cases of the rules on batching."""

from __future__ import annotations

from tests.repository.check.case import PYTHON, Case
from tests.repository.check.models import DYNAMIC, graph_model, python_model

from tritonkit.repository.check.target import Target

TENSORS = """
input [{ name: "x" data_type: TYPE_FP32 dims: [4] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [4] }]
"""
TRAPS = python_model(
    """
max_batch_size: 8
dynamic_batching {
  preferred_batch_size: [4, 8]
  max_queue_delay_microseconds: 50000
  default_queue_policy { timeout_action: DELAY allow_timeout_override: true }
  default_priority_level: 1
}
response_cache { enable: true }
instance_group [{
  rate_limiter {
    resources [{ name: "R" }, { name: "R" global: true }]
  }
}]
model_warmup { name: "never" inputs { key: "x" value { data_type: TYPE_FP32 zero_data: true } } }
parameters { key: "execution_env" value { string_value: "env.tar.gz" } }
input [{ name: "x" data_type: TYPE_FP32 dims: [-1] }]
output [
  { name: "y" data_type: TYPE_FP32 dims: [-1] },
  { name: "z" data_type: TYPE_FP32 dims: [1] }
]
"""
)
"""Loaded once for all warnings: what Triton takes, and serves otherwise than was meant."""

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
    Case(
        "TK065",
        fails=python_model("max_batch_size: 8\ndynamic_batching { preferred_batch_size: [4, 0] }"),
        passes=DYNAMIC,
        says="dynamic batching preferred size must be positive for m",
        at="0]",
    ),
    Case(
        "TK066",
        fails=python_model("max_batch_size: 8\ndynamic_batching { preferred_batch_size: [4, 16] }"),
        passes=DYNAMIC,
        says="dynamic batching preferred size must be <= max batch size for m",
        at="16]",
    ),
    Case(
        "TK066",
        fails=python_model("dynamic_batching { preferred_batch_size: 4 }"),
        passes=DYNAMIC,
        says="dynamic batching preferred size must be <= max batch size for m",
        at="4 }",
    ),
    Case(
        "TK071",
        fails=python_model("max_batch_size: 1\ndynamic_batching { }"),
        passes=DYNAMIC,
        at="dynamic_batching {",
    ),
    Case("TK072", fails=TRAPS, passes=DYNAMIC, at="-1] }]"),
    Case(
        "TK073",
        fails=TRAPS,
        passes=DYNAMIC,
        at="50000",
        target=Target(latency=0.05),
    ),
    Case(
        "TK160",
        fails=graph_model("dynamic_batching { preferred_batch_size: [4, 8] }"),
        passes=DYNAMIC,
        at="4, 8]",
        unasked="the server loads TRAPS, whose batcher is the same",
    ),
]
