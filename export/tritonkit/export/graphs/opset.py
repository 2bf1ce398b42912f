"""The opset of a graph."""

from __future__ import annotations

from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["OPSET", "raise_opset"]

OPSET = 17
"""Every onnxruntime from 1.13 takes it, so each Triton release in use does too."""

_LOWEST = 13
"""Quantisation by channel came with it."""


def raise_opset(model: Any, where: str) -> tuple[str, ...]:
    """
    Convert *model* to opset 17 if its own is below 13.

    Args:
        model: onnx.ModelProto; it is changed.
        where: The file's name, for errors.

    Returns:
        What was done, a sentence each; empty if nothing.

    Raises:
        ConfigError: If onnx cannot convert it.
    """
    onnx = require("onnx", extra="export")
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    if opset is None:
        # A graph of ai.onnx.ml alone names no standard opset, but stages add such nodes.
        model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
        return ()
    if opset >= _LOWEST:
        return ()
    try:
        converted = onnx.version_converter.convert_version(model, OPSET)
    except Exception as error:  # onnx raises nothing narrower
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"{where} is of opset {opset} and cannot be converted to {OPSET}: {reason}; export "
            f"the model anew with opset {OPSET}."
        ) from error
    model.CopyFrom(converted)
    return (f"opset {opset}, converted to {OPSET}",)
