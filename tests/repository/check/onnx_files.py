"""Small ONNX files for the cases."""

from __future__ import annotations

from typing import Any

from onnx import ModelProto, TensorProto, helper, parser

__all__ = ["graph", "nodes", "sequence", "typed", "with_weights"]


def graph(text: str, *, opset: int | None = 17, ir_version: int = 8) -> bytes:
    """A file of ONNX's text: "(float[b,4] x) => (float[b,4] y) { y = Identity(x) }"."""
    head = f'<ir_version: {ir_version}, opset_import: ["" : {opset or 17}]>'
    parsed: ModelProto = parser.parse_model(f"{head} m {text}")
    if opset is None:
        parsed.ClearField("opset_import")
    return bytes(parsed.SerializeToString())


def nodes(made: list[Any], inputs: list[Any], outputs: list[Any], weights: Any = ()) -> bytes:
    """A file of nodes and of what goes in and comes out."""
    made_graph = helper.make_graph(made, "m", inputs, outputs, list(weights))
    domains = {"": 17, "my.ops": 1, "com.microsoft": 1}
    opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
    model = helper.make_model(made_graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def typed(name: str, element: int = TensorProto.FLOAT, shape: Any = ("b", 4)) -> Any:
    """An input or output; *shape* may be None for none."""
    return helper.make_tensor_value_info(name, element, shape)


def sequence() -> bytes:
    """One whose output is a sequence of tensors."""
    return nodes(
        [helper.make_node("SequenceConstruct", ["x"], ["y"])],
        [typed("x")],
        [helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)],
    )


def with_weights(location: str) -> bytes:
    """One with 16 bytes of weights in another file."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        weights.external_data.add(key=key, value=value)
    return nodes(
        [helper.make_node("Add", ["x", "w"], ["y"])], [typed("x")], [typed("y")], [weights]
    )
