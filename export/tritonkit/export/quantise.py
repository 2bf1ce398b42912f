"""Dynamic int8: weights stored in 8 bits, activations quantised as they come."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from tritonkit.extras import require

__all__ = ["quantise_int8"]


def quantise_int8(encoder: Path, target: Path) -> None:
    """
    Quantise the MatMuls and the embedding tables of *encoder*.

    Signed weights, one scale a channel, on the graph as converted: measured on
    a CPU with VNNI, unsigned weights lose half of the gain in speed, one scale a
    tensor loses accuracy, and fusing the graph first gains nothing.

    Activations share one scale a tensor, so an embedding depends on what else
    is in its batch.

    Args:
        encoder: ONNX file with FP32 weights, without pooling.
        target: ONNX file to write.

    Raises:
        MissingExtra: If the export extra is not installed.
    """
    require("onnx", extra="export")
    quantization = require("onnxruntime.quantization", extra="export")
    root = logging.getLogger()
    level = root.level
    # It advises a preprocessing that fails on symbolic shapes and gains nothing here.
    root.setLevel(logging.ERROR)
    try:
        # It leaves a shape-inferred copy beside its input.
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "encoder.onnx"
            copy.symlink_to(encoder.resolve())
            quantization.quantize_dynamic(
                str(copy),
                str(target),
                weight_type=quantization.QuantType.QInt8,
                per_channel=True,
            )
    finally:
        root.setLevel(level)
