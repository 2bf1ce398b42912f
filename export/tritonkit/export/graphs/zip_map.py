"""ZipMap, which ends classifiers in a list of dictionaries that no server can send."""

from __future__ import annotations

from typing import Any

from tritonkit.extras import require

__all__ = ["strip_zip_maps"]


def strip_zip_maps(model: Any) -> dict[str, tuple[int | str, ...]]:
    """
    Replace each output that a ZipMap makes by the tensor it is made of.

    Args:
        model: onnx.ModelProto; it is changed. Outputs keep their names and order.

    Returns:
        By output that was replaced, its classes: the keys of the map, in the order of
        the tensor's last axis.

    Source: ZipMap, https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html
    """
    onnx = require("onnx", extra="export")
    graph, classes = model.graph, {}
    for node in [n for n in graph.node if n.op_type == "ZipMap" and n.domain == "ai.onnx.ml"]:
        value = next((v for v in graph.output if v.name == node.output[0]), None)
        if value is None:
            continue
        keys = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        names = tuple(key.decode() for key in keys.get("classlabels_strings", ()))
        classes[value.name] = names or tuple(keys.get("classlabels_int64s", ()))
        value.CopyFrom(
            onnx.helper.make_tensor_value_info(
                value.name, onnx.TensorProto.FLOAT, ["", len(classes[value.name])]
            )
        )
        node.CopyFrom(onnx.helper.make_node("Identity", [node.input[0]], [value.name]))
    return classes
