"""Static int8: weights and activations in 8 bits, by ranges found on samples."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tritonkit.errors import ConfigError
from tritonkit.export.sources.source import Feeds
from tritonkit.export.stages.embedding import quantise_embeddings
from tritonkit.export.stages.gemm import split_gemm
from tritonkit.export.stages.operators import require_nodes, require_weights
from tritonkit.export.stages.rewrite import load, rewrite
from tritonkit.export.stages.weights import store_in_blocks
from tritonkit.extras import require

__all__ = ["Calibration", "quantise_static"]

Calibration: TypeAlias = Literal["minmax", "entropy", "percentile"]
"""
How the range of an activation is found.

minmax: from the least to the largest value seen. entropy: the range that keeps most
information. percentile: without the largest 0.001 %.
"""

OPERATORS = ("Conv", "Gemm", "MatMul", "Relu", "Clip", "MaxPool", "GlobalAveragePool")
"""
What is quantised.

Not all that onnxruntime could quantise: measured on a sentence encoder, its own list
gives a mean cosine of 0.37 to FP32, matrix products alone 0.94.
"""

_METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}

_SETTINGS: Mapping[Calibration, Mapping[str, Any]] = {
    "minmax": {},
    # With its own 128 bins of values for 128 levels, entropy never leaves any value out.
    "entropy": {"num_bins": 256, "num_quantized_bins": 128},
    # uint8 has room for a range that is not symmetric.
    "percentile": {"percentile": 99.999, "symmetric": False},
}


def quantise_static(
    source: Path,
    target: Path,
    *,
    batches: Sequence[Feeds],
    method: Calibration = "minmax",
    operators: Sequence[str] = OPERATORS,
    reduce_range: bool = False,
    exclude: Collection[str] = (),
    weight_only: Collection[str] = (),
) -> None:
    """
    Store weights in int8, one scale a channel, and activations in uint8 by fixed ranges.

    An answer does not depend on its batch. Each operator stands between QuantizeLinear
    and DequantizeLinear; embedding tables are stored as int8, one scale a row.

    Args:
        source: ONNX file with FP32 weights.
        target: ONNX file to write.
        batches: Inputs of the graph to find ranges with, all of one shape; some dozens
            of rows together. What the graph does not take is passed over.
        method: How ranges are found.
        operators: Operator types to quantise.
        reduce_range: Weights in 7 bits, against the saturation of CPUs without VNNI.
        exclude: Names of nodes that stay FP32.
        weight_only: Names of MatMul and Gemm nodes whose activations stay FP32, and whose
            weights are stored in blocks of 8 bits: the first few of `rank_nodes`.

    Raises:
        ConfigError: If there are no batches, they differ in shape, the method is
            unknown or an excluded node does not exist.
        ExportError: If the graph has nothing to quantise, or onnxruntime fails.
        MissingExtra: If the export extra is not installed.
    """
    if method not in _METHODS:
        raise ConfigError(f"method must be {', '.join(_METHODS)}, but got {method!r}.")
    _require_one_shape(batches)

    def change(model: Any) -> Any:
        require_weights(model, [name for name in operators if name in ("MatMul", "Gemm", "Conv")])
        require_nodes(model, [*exclude, *weight_only])
        model = quantise_embeddings(model, exclude=exclude)
        if weight_only:
            model = split_gemm(model)
        kept = {*exclude, *weight_only}
        model = _between_ranges(
            model, batches, method, operators, reduce_range=reduce_range, exclude=kept
        )
        return store_in_blocks(model, weight_only, bits=8, block_size=32, accuracy_level=4)

    rewrite(source, target, change, what=f"static quantisation by {method}")


def _between_ranges(
    model: Any,
    batches: Sequence[Feeds],
    method: Calibration,
    operators: Sequence[str],
    *,
    reduce_range: bool,
    exclude: Collection[str],
) -> Any:
    onnx = require("onnx", extra="export")
    quantization = require("onnxruntime.quantization", extra="export")
    with tempfile.TemporaryDirectory() as folder:
        graph, written = Path(folder) / "graph.onnx", Path(folder) / "quantised.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), str(graph))
        calibrator = quantization.create_calibrator(
            graph,
            list(operators),
            augmented_model_path=str(Path(folder) / "spied.onnx"),
            calibrate_method=quantization.CalibrationMethod[_METHODS[method]],
            extra_options=_SETTINGS[method],
        )
        calibrator.collect_data(_Reader(model, batches))
        quantiser = quantization.QDQQuantizer(
            onnx.load(str(graph)),
            per_channel=True,
            reduce_range=reduce_range,
            weight_qType=quantization.QuantType.QInt8,
            activation_qType=quantization.QuantType.QUInt8,
            tensors_range=calibrator.compute_data(),
            nodes_to_quantize=[],
            nodes_to_exclude=list(exclude),
            op_types_to_quantize=list(operators),
            # Shape inference does not know the types behind a fused node.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        quantiser.quantize_model()
        quantiser.model.save_model_to_file(str(written))
        return load(written)


class _Reader:
    """Batches as onnxruntime's calibration reads them."""

    def __init__(self, model: Any, batches: Sequence[Feeds]) -> None:
        self._inputs = {tensor.name for tensor in model.graph.input}
        self._batches: Iterator[Feeds] = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        if batch is None:
            return None
        return {name: array for name, array in batch.items() if name in self._inputs}


def _require_one_shape(batches: Sequence[Feeds]) -> None:
    shapes = [
        ", ".join(f"{name} {list(array.shape)}" for name, array in sorted(batch.items()))
        for batch in batches
    ]
    if not shapes:
        raise ConfigError("static quantisation needs calibration batches, but got none.")
    for position, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ConfigError(
                "calibration batches must be of one shape: "
                f"batch 0 is {shapes[0]}, but batch {position} is {shape}; "
                "pad their rows to one length and drop an incomplete last batch."
            )
