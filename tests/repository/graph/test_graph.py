from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, parser

from tritonkit.repository.graph.batching import why_not_batchable
from tritonkit.repository.graph.graph import Graph, GraphError, NotOnnx, read_graph
from tritonkit.repository.graph.parts import ExternalData, Operator
from tritonkit.repository.graph.tensor import GraphTensor

NAMES = st.text("abcXYZ_/:.é 0", min_size=1, max_size=6)
AXES = st.one_of(st.integers(0, 2**40), st.none(), st.sampled_from(["batch", "n", ""]))
ELEMENTS = [n for n in TensorProto.DataType.values() if n not in (0, TensorProto.FLOAT8E8M0)]


def tensor_types() -> st.SearchStrategy[Any]:
    shapes = st.one_of(st.none(), st.lists(AXES, max_size=4))
    dense = st.builds(helper.make_tensor_type_proto, st.sampled_from(ELEMENTS), shapes)
    sparse = st.builds(helper.make_sparse_tensor_type_proto, st.sampled_from(ELEMENTS), shapes)
    maps = st.builds(helper.make_map_type_proto, st.sampled_from([7, 8]), dense)
    return st.recursive(
        st.one_of(dense, dense, sparse, maps),
        lambda inner: st.one_of(
            st.builds(helper.make_sequence_type_proto, inner),
            st.builds(helper.make_optional_type_proto, inner),
        ),
        max_leaves=2,
    )


@st.composite
def bodies(draw: st.DrawFn, depth: int = 0) -> list[Any]:
    nodes = []
    for _ in range(draw(st.integers(0, 3))):
        node = helper.make_node(
            draw(st.sampled_from(["Add", "If", "QuantizeLinear", "FusedMatMul"])),
            draw(st.lists(NAMES, max_size=2)),
            draw(st.lists(NAMES, max_size=2)),
            domain=draw(st.sampled_from(["", "com.microsoft", "ai.onnx"])),
            value=helper.make_tensor("v", TensorProto.FLOAT, [2], [1.0, 2.0]),
            axis=draw(st.integers(-4, 4)),
        )
        if depth < 2 and draw(st.booleans()):
            inner = helper.make_graph(draw(bodies(depth + 1)), "inner", [], [])
            node.attribute.append(helper.make_attribute("then_branch", inner))
        nodes.append(node)
    return nodes


@st.composite
def models(draw: st.DrawFn) -> onnx.ModelProto:
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    values = [helper.make_value_info(name, draw(tensor_types())) for name in names]
    split = draw(st.integers(0, len(values)))
    weights = draw(st.sets(st.sampled_from([*names, "w"])))
    graph = helper.make_graph(
        draw(bodies()),
        "graph",
        values[:split],
        values[split:],
        initializer=[helper.make_tensor(n, 1, [3], b"\xff" * 12, raw=True) for n in weights],
        doc_string=draw(NAMES),
    )
    function = helper.make_function(
        "com.microsoft", "F", ["x"], ["y"], draw(bodies(2)), [helper.make_opsetid("", 17)]
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        functions=[function] if draw(st.booleans()) else [],
        producer_name=draw(NAMES),
        ir_version=draw(st.integers(3, 10)),
    )
    helper.set_model_props(model, {draw(NAMES): draw(NAMES)})
    return model


def type_name(proto: Any) -> str:
    """onnxruntime's name of a type, by the onnx library."""
    which = proto.WhichOneof("value")
    value = getattr(proto, which)
    element = TensorProto.DataType.Name
    if which in ("tensor_type", "sparse_tensor_type"):
        return f"{which.removesuffix('_type')}({element(value.elem_type).lower()})"
    if which == "map_type":
        return f"map({element(value.key_type).lower()},{type_name(value.value_type)})"
    name = {"sequence_type": "seq", "optional_type": "optional"}[which]
    return f"{name}({type_name(value.elem_type)})"


def expected_tensor(value: Any) -> GraphTensor:
    kind = value.type.tensor_type if value.type.HasField("tensor_type") else None
    if kind is None or not kind.HasField("shape"):
        return GraphTensor(value.name, type_name(value.type), None)
    dims = kind.shape.dim
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)
    return GraphTensor(value.name, type_name(value.type), shape, tuple(d.dim_param for d in dims))


def operators(nodes: Any) -> set[Operator]:
    found = set()
    for node in nodes:
        found.add(Operator(node.domain.replace("ai.onnx", ""), node.op_type))
        for attribute in node.attribute:
            found |= operators(attribute.g.node)
    return found


def save(path: Path, model: onnx.ModelProto) -> Graph:
    path.write_bytes(model.SerializeToString())
    return read_graph(path)


@seed(9)
@settings(max_examples=40, deadline=None)
@given(model=models())
def test_agrees_with_the_onnx_library(
    tmp_path_factory: pytest.TempPathFactory, model: onnx.ModelProto
) -> None:
    path = tmp_path_factory.getbasetemp() / "random.onnx"
    graph = save(path, model)
    model = onnx.load(path)
    weights = {w.name for w in model.graph.initializer}
    taken = [expected_tensor(v) for v in model.graph.input]
    assert graph.inputs == tuple(t for t in taken if t.name not in weights)
    can_override = model.ir_version >= 4
    assert graph.overridable == tuple(t for t in taken if t.name in weights and can_override)
    assert graph.outputs == tuple(expected_tensor(v) for v in model.graph.output)
    assert graph.opsets == {"": 17, "ai.onnx.ml": 3}
    in_functions = (node for function in model.functions for node in function.node)
    assert graph.operators == operators(model.graph.node) | operators(in_functions)
    assert graph.functions == {Operator(f.domain, f.name) for f in model.functions}
    assert graph.ir_version == model.ir_version
    assert graph.producer == model.producer_name.strip()
    assert graph.metadata == {p.key: p.value for p in model.metadata_props}


@seed(9)
@settings(max_examples=40, deadline=None)
@given(model=models(), dice=st.randoms(use_true_random=False))
def test_a_damaged_file_gives_an_error_or_a_graph(
    tmp_path_factory: pytest.TempPathFactory, model: onnx.ModelProto, dice: random.Random
) -> None:
    content = bytearray(model.SerializeToString())
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    for _ in range(8):
        for _ in range(dice.randrange(1, 4)):
            content[dice.randrange(len(content))] = dice.randrange(256)
        path.write_bytes(
            content[: dice.randrange(len(content))] if dice.random() < 0.3 else content
        )
        try:
            read_graph(path)
        except GraphError as error:
            assert str(path) in str(error)  # noqa: PT017, either way is right


MARKED = """<ir_version: 8, producer_name: "PROD", opset_import: ["" : 17]>
    g (float[AXIS] x) => (float[AXIS] y) { y = Neg(x) }"""


def test_onnxruntime_does_not_mind_what_is_no_text(tmp_path: Path) -> None:
    model = parser.parse_model(MARKED)
    model.metadata_props.add(key="author", value="NAME")
    content = model.SerializeToString()
    for word in (b"PROD", b"AXIS", b"NAME"):
        assert word in content
        content = content.replace(word, b"Zo\xeb\xff")
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_inputs()
    found = read_graph(path)
    assert (found.producer, found.metadata["author"]) == ("Zo\ufffd\ufffd",) * 2
    assert found.batchable


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\x08\x0a", "its 2 bytes hold no graph"),
        (b"\x08" + b"\xff" * 20, "at byte 1 of 21 stands a number of more than 10 bytes"),
        (b"\x3a\xff\xff\xff\xff\x7f", "a field of 34359738367 bytes where 0 bytes are left"),
        (b"\x3a\x02\x5a\x05", "at byte 2 of 4 stands a field of 5 bytes where 0 bytes are left"),
        (b"\x00\x00", "at byte 0 of 2 stands a field of number 0"),
        (b"\x3b\x00", "at byte 0 of 2 stands a group, which ONNX has none of"),
        (b"\x3a\x04\x5a\x02\x0a\x7f", "at byte 4 of 6"),
        (b"\x12\x02\xc3\x28", "its 4 bytes hold no graph"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS"),
    ],
)
def test_says_what_is_wrong_and_at_which_byte(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(GraphError) as caught:
        read_graph(path)
    assert str(caught.value).startswith(f"{path} is no ONNX model: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("tag", [0x22, 0x3A], ids=["type", "graph"])
def test_deep_nesting_ends_with_an_error(tmp_path: Path, tag: int) -> None:
    """Sequences in sequences, and graphs in attributes of nodes in graphs."""
    content = b""
    for _ in range(3000):
        for part in [0x0A, 0x22] if tag == 0x22 else [0x32, 0x2A, 0x0A]:
            content = bytes([part]) + _varint(len(content)) + content
    if tag == 0x22:
        content = _message(0x3A, _message(0x5A, _message(0x12, content)))
    else:
        content = _message(0x3A, content)
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(GraphError, match="nested more than"):
        read_graph(path)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    """Two hundred megabytes of weights that are a hole in the file."""
    size = 200 << 20
    tensor = _varint(size)
    weights = b"\x42\x01w" + b"\x4a" + tensor
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3]).SerializeToString()
    rest = _message(0x5A, x)
    graph = b"\x2a" + _varint(len(weights) + size) + weights
    path = tmp_path / "model.onnx"
    with path.open("wb") as file:
        file.write(b"\x08\x0a\x3a" + _varint(len(graph) + size + len(rest)) + graph)
        file.seek(size, os.SEEK_CUR)
        file.write(rest)
    found = read_graph(path)
    assert [GraphTensor("x", "tensor(float)", (-1, 3), ("n", ""))] == list(found.inputs)


def test_external_data(tmp_path: Path) -> None:
    """The model of a folder, with one file of weights that is there and one that is not."""
    folder = tmp_path / "model.onnx"
    folder.mkdir()
    model = helper.make_model(helper.make_graph([], "g", [], []))
    for name, location, offset, length in [
        ("a", "weights.bin", 0, 8),
        ("b", "weights.bin", 4096, 16),
        ("c", "gone.bin", 0, 4),
        ("d", "no\0path", 0, 0),
    ]:
        tensor = model.graph.initializer.add(name=name, data_location=TensorProto.EXTERNAL)
        entries = {"location": location, "offset": str(offset), "length": str(length)}
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
    (folder / "weights.bin").write_bytes(b"12345678")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    graph = read_graph(folder)
    assert folder / "model.onnx" == graph.path
    assert graph.external_data == (
        ExternalData("weights.bin", 4112, 8),
        ExternalData("gone.bin", 4, None),
        ExternalData("no\0path", 0, None),
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"gone\.onnx cannot be read: No such file"):
        read_graph(tmp_path / "gone.onnx")
    with pytest.raises(GraphError, match=r"model\.onnx cannot be read: No such file"):
        read_graph(tmp_path)


def test_batches_where_every_first_axis_is_open(tmp_path: Path) -> None:
    def graph(**shapes: Any) -> Graph:
        values = {
            name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        }
        inputs = [v for name, v in values.items() if name.startswith("x")]
        outputs = [v for name, v in values.items() if name.startswith("y")]
        model = helper.make_model(helper.make_graph([], "g", inputs, outputs))
        return save(tmp_path / "model.onnx", model)

    assert graph(x=["n", 3], y=[None]).batchable
    assert why_not_batchable(graph(x=[-1, 3], y=["n"])) == ()
    found = graph(x0=["n"], x1=[4, "n"], y0=[], y1=None)
    assert not found.batchable
    assert [(w.side, w.tensor.name, w.reason) for w in why_not_batchable(found)] == [
        ("input", "x1", "has a first axis of fixed size 4"),
        ("output", "y0", "is a scalar and has no first axis"),
        ("output", "y1", "has no shape in the graph"),
    ]


def _message(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize(
    ("content", "sure"),
    [(b"<html>", True), (b"", True), (b"\x12\x02\xff\xfe", True), (b"\x0b\x0c", False)],
    ids=["markup", "empty", "text", "group"],
)
def test_what_only_onnxruntime_may_take_is_no_sure_fault(
    tmp_path: Path, content: bytes, sure: bool
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)

    with pytest.raises(NotOnnx) as raised:
        read_graph(path)

    assert raised.value.sure is sure
    assert raised.value.parses is not content.startswith((b"<", b"\x0b"))
