"""A graph in onnxruntime, whose refusals are put into words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["open_graph", "run_graph"]

_LONGEST = 300
_NEWEST = re.compile(r"Opset (\d+) is under development.* is till opset (\d+)", re.DOTALL)
_UNKNOWN = re.compile(r"(?:(\S+):)?(\w+)\(-?\d+\) is not a registered function/op")
_UNREGISTERED = re.compile(r"No Op registered for (\w+)")
_UNIMPLEMENTED = re.compile(r"Could not find an implementation for (\w+)\((\d+)\)")


def open_graph(graph: Path | bytes, *, what: str) -> Any:
    """
    An onnxruntime.InferenceSession on the CPU.

    Args:
        graph: A file, or the content of one.
        what: What is exported, for errors.

    Raises:
        ConfigError: If onnxruntime does not load the file; the message names the operator
            or opset and what would work.
        MissingExtra: If onnxruntime is not installed.
    """
    onnxruntime = require("onnxruntime", extra="export")
    options = onnxruntime.SessionOptions()
    # 4: fatal errors. Others are raised; what it warns of is for the maker of the file.
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph), options, ["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors share no narrower class
        raise ConfigError(f"{what}: {_in_words(str(error))}") from error


def run_graph(session: Any, feeds: Mapping[str, NDArray[Any]], what: str) -> list[Any]:
    """
    The outputs for one batch, in the order of the graph.

    Raises:
        ConfigError: If onnxruntime cannot answer; the message starts with *what*.
    """
    try:
        return list(session.run(None, feeds))
    except Exception as error:  # onnxruntime's errors share no narrower class
        raise ConfigError(f"{what} cannot be answered: {_shortened(str(error))}") from error


def _in_words(message: str) -> str:
    if found := _NEWEST.search(message):
        return (
            f"its opset {found[1]} is newer than {found[2]}, the newest that onnxruntime loads; "
            "export the model with opset 17, which every Triton release in use loads."
        )
    if found := _UNKNOWN.search(message):
        domain = f" of {found[1]}" if found[1] else ""
        return (
            f"onnxruntime has no operator {found[2]}{domain}; the standard operators, those of "
            "ai.onnx.ml and those of com.microsoft would work."
        )
    if found := _UNREGISTERED.search(message):
        return f"ONNX has no operator {found[1]} in its opset; export the model with another one."
    if found := _UNIMPLEMENTED.search(message):
        return (
            f"onnxruntime does not implement {found[1]} of opset {found[2]} for these types on "
            "the CPU; FP32 in place of other floating-point types may work."
        )
    return f"onnxruntime does not load it: {_shortened(message)}"


def _shortened(message: str) -> str:
    """Without onnxruntime's error code and its own source files."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ", "", message.strip())
    text = re.sub(r"/onnxruntime_src/\S+ [^\n]*?\) (?=[A-Z])", "", text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
