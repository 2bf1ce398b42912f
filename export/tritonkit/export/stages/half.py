"""FP16: weights and activations in half precision, inputs and outputs as they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ExportError
from tritonkit.export.sources.source import Feeds
from tritonkit.export.stages.operators import floats
from tritonkit.export.stages.rewrite import rewrite
from tritonkit.extras import require

__all__ = ["halve"]

_LARGEST = 65504.0
"""The largest finite number of half precision."""

_MASK = _LARGEST / 2
"""
What stands for a constant that half precision cannot hold.

Such constants mask: they are added to scores before a softmax. Half of the range leaves
room for the score, and for a second mask; -inf would make NaN of a row without a token.
"""


def halve(source: Path, target: Path, *, batches: Sequence[Feeds] = ()) -> None:
    """
    Store and compute in half precision, by onnxruntime.transformers.float16.

    On a GPU it is twice as fast or more; on a CPU onnxruntime casts, and it is no faster.

    Args:
        source: ONNX file with FP32 weights.
        target: ONNX file to write; its inputs and outputs are those of *source*.
        batches: Inputs of the graph. Nodes whose results for them are beyond half
            precision stay FP32, and so do the nodes that read these results. Answers on
            a CPU do not show such results, as they are cast to FP32 on their way.

    Raises:
        ExportError: If the graph has no FP32 weights.
        MissingExtra: If the export extra is not installed.
    """

    def change(model: Any) -> Any:
        if not floats(model):
            raise ExportError("the graph has no FP32 weights, so there is nothing to halve.")
        float16 = require("onnxruntime.transformers.float16", extra="export")
        onnx_model = require("onnxruntime.transformers.onnx_model", extra="export")
        _bound_masks(model)
        halved = float16.convert_float_to_float16(
            model, keep_io_types=True, node_block_list=_overflowing(model, batches)
        )
        _join_casts(halved)
        # The converter appends its casts behind the nodes that read them.
        onnx_model.OnnxModel(halved).topological_sort()
        return halved

    rewrite(source, target, change, what="conversion to FP16")


def _bound_masks(model: Any) -> None:
    onnx = require("onnx", extra="export")
    constants = [*model.graph.initializer]
    constants += [
        candidate.t
        for node in model.graph.node
        for candidate in node.attribute
        if candidate.type == onnx.AttributeProto.TENSOR
    ]
    for tensor in constants:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(tensor)
            beyond = np.isfinite(values) & (np.abs(values) > _LARGEST)
            if beyond.any():
                bounded = np.where(beyond, np.copysign(np.float32(_MASK), values), values)
                tensor.CopyFrom(onnx.numpy_helper.from_array(bounded, tensor.name))


def _overflowing(model: Any, batches: Iterable[Feeds]) -> list[str]:
    onnx = require("onnx", extra="export")
    onnxruntime = require("onnxruntime", extra="export")
    spied = onnx.shape_inference.infer_shapes(model)
    kept = {output.name for output in spied.graph.output}
    made = {name for node in spied.graph.node for name in node.output} - kept
    spied.graph.output.extend(
        value
        for value in spied.graph.value_info
        if value.name in made and value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    )
    beyond: set[str] = set()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = None
    for batch in batches:
        session = session or onnxruntime.InferenceSession(
            spied.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        taken = {tensor.name for tensor in session.get_inputs()}
        fed = {name: array for name, array in batch.items() if name in taken}
        results = session.run(None, fed)
        for output, result in zip(session.get_outputs(), results, strict=True):
            if _too_large(result):
                beyond.add(output.name)
    return [node.name for node in model.graph.node if beyond & {*node.input, *node.output}]


def _too_large(result: NDArray[Any]) -> bool:
    finite = result[np.isfinite(result)] if result.dtype == np.float32 else result[:0]
    return bool(finite.size) and float(np.abs(finite).max()) > _LARGEST


def _join_casts(model: Any) -> None:
    """Let a node that stays FP32 read what another one made, not what half precision holds."""
    onnx = require("onnx", extra="export")
    made_by = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            widened = made_by.get(name)
            if widened is None or not _casts(widened, onnx.TensorProto.FLOAT):
                continue
            halved = made_by.get(widened.input[0])
            # So the converter names its own casts; a cast of the source's is left alone.
            ours = halved is not None and halved.name.endswith("_cast_to_fp16_node")
            if halved is not None and ours and _casts(halved, onnx.TensorProto.FLOAT16):
                node.input[position] = halved.input[0]


def _casts(node: Any, to: int) -> bool:
    return node.op_type == "Cast" and any(
        candidate.name == "to" and candidate.i == to for candidate in node.attribute
    )
