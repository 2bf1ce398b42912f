"""Which onnxruntime a release of Triton carries, and what that loads."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ONNXRUNTIMES", "Loads", "Version"]

Version = tuple[int, ...]
"""Numbers of a version, such as (1, 22)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loads:
    """
    The newest files that a version of onnxruntime loads.

    Args:
        opset: Of ONNX's own operators.
        ml_opset: Of ai.onnx.ml.
        ir_version: Of the file.
        triton: The first release of Triton that is known to carry this version or a newer
            one; empty where none is known.
    """

    opset: int
    ml_opset: int
    ir_version: int
    triton: str


# What a version loads was tried: a graph of one node for each opset and IR version, on 1.19.2,
# 1.20.1, 1.21.1, 1.22.0, 1.23.2 and 1.24.4. Which release carries which was not tried, and not
# every release is known: by triton-inference-server/server's history 24.10 has 1.19.2, 25.01 has
# 1.20.1, 25.07 has 1.22.0, 26.01 has 1.23.2 and 26.05 has 1.24.4. None of these has 1.21.
ONNXRUNTIMES: dict[Version, Loads] = {
    (1, 19): Loads(opset=21, ml_opset=5, ir_version=10, triton="24.10"),
    (1, 20): Loads(opset=21, ml_opset=5, ir_version=10, triton="25.01"),
    (1, 21): Loads(opset=22, ml_opset=5, ir_version=10, triton="25.07"),
    (1, 22): Loads(opset=22, ml_opset=5, ir_version=10, triton="25.07"),
    (1, 23): Loads(opset=23, ml_opset=5, ir_version=11, triton="26.01"),
    (1, 24): Loads(opset=25, ml_opset=5, ir_version=13, triton="26.05"),
}
"""By version of onnxruntime, oldest first."""
