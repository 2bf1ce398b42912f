"""What can go wrong, in the words of NVIDIA's backend."""

from __future__ import annotations

import re

from onnxruntime.capi import onnxruntime_pybind11_state

__all__ = ["RUNTIME_ERRORS", "LoadError", "RequestError", "runtime_text"]

# onnxruntime's exceptions have no base of their own. Beside them a run raises
# RuntimeError for what C++ threw, and ValueError for values it cannot convert.
RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(
        value
        for value in vars(onnxruntime_pybind11_state).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ),
)
"""What onnxruntime raises."""

_RUNTIME_TEXT = re.compile(r"\[ONNXRuntimeError\] : (\d+) : \w+ : (.*)", re.DOTALL)


class LoadError(Exception):
    """The model cannot be loaded: its file or its configuration is wrong."""


class RequestError(Exception):
    """
    One request gets no answer.

    Args:
        message: What happened.
        code: Name of Triton's error code: INVALID_ARG, UNSUPPORTED or INTERNAL.
    """

    def __init__(self, message: str, *, code: str = "INTERNAL") -> None:
        super().__init__(message)
        self.code = code


def runtime_text(error: Exception) -> str:
    """The text that NVIDIA's backend makes of an error of onnxruntime."""
    match = _RUNTIME_TEXT.fullmatch(str(error))
    if match is None:
        return f"onnx runtime error: {error}"
    return f"onnx runtime error {match[1]}: {match[2]}"
