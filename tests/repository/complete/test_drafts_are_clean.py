"""What `config init` writes has no finding under `check --strict`, whatever the graph."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, seed, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tritonkit.repository.check.check import check
from tritonkit.repository.check.target import Target
from tritonkit.repository.complete.draft import draft_config
from tritonkit.repository.graph.batching import why_not_batchable
from tritonkit.repository.graph.graph import read_graph
from tritonkit.repository.graph.inference import infer_outputs

TYPES = ["FLOAT", "DOUBLE", "FLOAT16", "INT8", "UINT16", "INT32", "INT64", "BOOL", "STRING"]
NAMES = ["x", "in/put:0", "серия", 'q"uo\\te', "a b", "nl\n#h", "\x1b", "x" * 80]

names = st.sampled_from(NAMES)
axes = st.one_of(st.sampled_from(["batch", "n", ""]), st.integers(1, 3))
shapes = st.lists(axes, max_size=3)
# Half of the graphs can batch.
rows = st.lists(axes, max_size=2).map(lambda inner: ["batch", *inner])


@st.composite
def graphs(draw: st.DrawFn) -> bytes:
    """Each output is the shape-keeping Cast of an input, so that nothing is unknown of it."""
    kind = draw(st.sampled_from([shapes, rows]))
    made: dict[str, list[Any]] = {"inputs": [], "outputs": [], "nodes": []}
    for number in range(draw(st.integers(1, 3))):
        shape, name = draw(kind), draw(names)
        into, out = f"{name}{number}", f"{name}{number} out"
        to = getattr(TensorProto, draw(st.sampled_from(TYPES)))
        of = getattr(TensorProto, draw(st.sampled_from(TYPES)))
        made["inputs"].append(helper.make_tensor_value_info(into, of, shape))
        made["outputs"].append(helper.make_tensor_value_info(out, to, shape))
        made["nodes"].append(helper.make_node("Cast", [into], [out], to=to))
    graph = helper.make_graph(made["nodes"], "g", made["inputs"], made["outputs"])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="p\n")
    return bytes(model.SerializeToString())


@seed(0)
@settings(max_examples=30, deadline=None)
@given(graphs(), st.sampled_from([None, 0, 1, 8]))
def test_a_draft_has_no_finding(content: bytes, size: int | None) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        file = Path(folder) / "m" / "1" / "model.onnx"
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        graph = infer_outputs(read_graph(file))
        if size and why_not_batchable(graph):
            size = 0
        draft = draft_config(graph, "m", max_batch_size=size)
        (file.parents[1] / "config.pbtxt").write_text(draft.text)
        for target in (Target(), Target(gpus=0, cores=2, cache=False), Target(gpus=2)):
            findings = check(Path(folder), target=target).findings
            assert [(one.rule.id, one.found.message) for one in findings] == [], draft.text
