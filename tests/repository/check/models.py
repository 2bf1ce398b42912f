"""Models that are right in all that the rules of schedulers look at; each is loaded once."""

from __future__ import annotations

from tests.repository.check import onnx_files
from tests.repository.check.case import Files

__all__ = ["CACHED", "DYNAMIC", "SEQUENCE", "graph_model", "python_model"]

ECHO = """\
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "x").as_numpy()
            y = pb_utils.Tensor("y", x.astype(np.float32))
            answers.append(pb_utils.InferenceResponse(output_tensors=[y]))
        return answers
"""
TENSORS = """
input [{ name: "x" data_type: TYPE_FP32 dims: [4] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [4] }]
"""


def python_model(config: str, *, code: str = ECHO, **files: str | bytes) -> Files:
    """
    The model m, which answers with what it was given.

    Args:
        config: What stands in its config.pbtxt beside the backend and, where it has no
            input of its own, an input and an output of four numbers.
        code: Its model.py.
        files: Files of its folder; "__" in a name stands for "/".
    """
    tensors = "" if "input [" in config else TENSORS
    return {
        "m/config.pbtxt": f'backend: "python"\n{config}{tensors}',
        "m/1/model.py": code,
        **{f"m/{name.replace('__', '/')}": content for name, content in files.items()},
    }


def graph_model(config: str, *, start: bool = False) -> Files:
    """
    The model m, a graph that gives back x, four numbers a row, in batches of up to 8.

    Args:
        config: What stands in its config.pbtxt beside that.
        start: Whether the graph has an input START too, one INT32 a row.
    """
    inputs = "float[rows,4] x, int32[rows,1] START" if start else "float[rows,4] x"
    return {
        "m/config.pbtxt": f'backend: "onnxruntime"\nmax_batch_size: 8\n{config}\n'
        f"instance_group [{{ count: 1 kind: KIND_CPU }}]{TENSORS}",
        "m/1/model.onnx": onnx_files.graph(
            f"({inputs}) => (float[rows,4] y) {{ y = Identity(x) }}"
        ),
    }


DYNAMIC = python_model(
    """
max_batch_size: 8
dynamic_batching {
  preferred_batch_size: [8]
  max_queue_delay_microseconds: 100
  preserve_ordering: true
  priority_levels: 1
  default_priority_level: 1
  default_queue_policy {
    default_timeout_microseconds: 1000000
    allow_timeout_override: true
    max_queue_size: 64
  }
  priority_queue_policy { key: 1 value { default_timeout_microseconds: 1000 } }
}
instance_group [{ count: 1 kind: KIND_CPU }]
parameters { key: "sizes" value { string_value: "16, 32" } }
model_warmup {
  name: "one"
  batch_size: 1
  inputs {
    key: "x" value { data_type: TYPE_FP32 dims: [4] input_data_file: "row" }
  }
}
model_warmup {
  name: "two"
  batch_size: 2
  inputs { key: "x" value { data_type: TYPE_FP32 dims: [4] zero_data: true } }
}
""",
    warmup__row=bytes(16),
)
"""The dynamic batcher and its queue, an instance group, warm-up requests."""

SEQUENCE = python_model(
    """
max_batch_size: 8
sequence_batching {
  oldest { preferred_batch_size: [4, 8] }
  control_input [
    {
      name: "START"
      control [{ kind: CONTROL_SEQUENCE_START int32_false_true: [0, 1] }]
    },
    {
      name: "ID"
      control [{ kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 }]
    }
  ]
  state [
    {
      input_name: "OLD"
      output_name: "NEW"
      data_type: TYPE_FP32
      dims: [-1, 2]
      initial_state { name: "start" data_type: TYPE_FP32 dims: [1, 2] data_file: "start" }
    }
  ]
}
""",
    initial_state__start=bytes(8),
)
"""The sequence batcher with controls and a state."""

CACHED = python_model("response_cache { enable: true }\n")
"""A response cache of one input and one output without an open axis."""
