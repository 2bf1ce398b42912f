"""What is known of Triton's backends."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tritonkit.repository.check.release import Release
from tritonkit.repository.check.source import completes_itself, parse_source
from tritonkit.repository.present import is_file

if TYPE_CHECKING:
    from tritonkit.repository.check.subject import Subject

__all__ = [
    "CONTAINER",
    "DATA_TYPES",
    "NO_OPTIONAL",
    "ONNX_BF16_SINCE",
    "PLATFORMS",
    "adds_tensors",
    "chooses_batch_size",
    "fills_gaps",
]

_INTEGERS = frozenset({"TYPE_INT8", "TYPE_INT16", "TYPE_INT32", "TYPE_INT64"})
_UNSIGNED = frozenset({"TYPE_UINT8", "TYPE_UINT16", "TYPE_UINT32", "TYPE_UINT64"})
_FLOATS = frozenset({"TYPE_FP16", "TYPE_FP32", "TYPE_FP64"})

DATA_TYPES: Mapping[str, frozenset[str]] = {
    "onnxruntime": _INTEGERS | _UNSIGNED | _FLOATS | {"TYPE_BOOL", "TYPE_STRING"},
    "openvino": _INTEGERS | _UNSIGNED | {"TYPE_BOOL", "TYPE_FP16", "TYPE_FP32"},
    "pytorch": _INTEGERS | _FLOATS | {"TYPE_BOOL", "TYPE_UINT8", "TYPE_STRING"},
    "tensorrt": frozenset(
        {
            "TYPE_BOOL",
            "TYPE_UINT8",
            "TYPE_INT8",
            "TYPE_INT32",
            "TYPE_INT64",
            "TYPE_FP16",
            "TYPE_FP32",
            "TYPE_BF16",
        }
    ),
}
"""The data types that a backend takes; a backend that is not here may take any."""

ONNX_BF16_SINCE = Release(26, 1)
"""From this release on onnxruntime's backend may take TYPE_BF16; 24.10 and 25.06 do not."""

NO_OPTIONAL = frozenset({"openvino", "pytorch", "tensorflow"})
"""The backends that take no optional input."""

CONTAINER = frozenset(
    {
        "dali",
        "fil",
        "identity",
        "onnxruntime",
        "openvino",
        "python",
        "pytorch",
        "repeat",
        "square",
        "tensorflow",
        "tensorrt",
        "tensorrtllm",
        "vllm",
    }
)
"""The backends of NVIDIA's containers, whichever of them it is."""

PLATFORMS: Mapping[str, tuple[str, ...]] = {
    "onnxruntime": ("onnxruntime_onnx",),
    "pytorch": ("pytorch_libtorch",),
    "tensorflow": ("tensorflow_graphdef", "tensorflow_savedmodel"),
    "tensorrt": ("tensorrt_plan",),
}
"""The platforms of a backend; another backend may stand beside any platform."""

_MOST_CODE = 1 << 24
_FILL_NOTHING = frozenset({"", "onnxruntime", "openvino", "pytorch"})


def fills_gaps(model: Subject) -> bool:
    """
    Whether its backend may fill in what single inputs and outputs leave out.

    onnxruntime's completes all inputs, or all outputs, or none. A Python model's own
    `auto_complete_config`, TensorRT's backend and those that are not known here may
    complete one that is there in part.
    """
    if not model.target.autocomplete or model.backend in _FILL_NOTHING:
        return False
    if model.backend != "python" or model.model_path is None:
        return True
    return is_file(model.model_path) and adds_tensors(model) is not False


def adds_tensors(model: Subject) -> bool | None:
    """Whether a Python model may add to what its configuration has; None of other models."""
    path = model.model_path
    if model.backend != "python" or path is None or not is_file(path):
        return None
    tree = parse_source(path) if model.target.autocomplete else None
    return completes_itself(tree) if isinstance(tree, ast.Module) else model.target.autocomplete


def chooses_batch_size(model: Subject) -> bool:
    """
    Whether its backend may raise a max_batch_size of 0, to what is not known here.

    Those that `fills_gaps` speaks of do: TensorRT's takes it from the engine, a Python
    model's `auto_complete_config` may set it.
    """
    return not model.config.max_batch_size and fills_gaps(model)
