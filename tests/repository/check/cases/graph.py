"""Cases of the rules on a configuration against its graph, and on the ONNX file."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto, helper
from tests.repository.check.case import Case, Files
from tests.repository.check.cases.tensors import ASKED
from tests.repository.check.onnx_files import graph, nodes, sequence, typed, with_weights

from tritonkit.repository.check.release import Release
from tritonkit.repository.check.target import Target

ROWS = "(float[b,4] x) => (float[b,4] y) { y = Identity(x) }"
FIXED = "(float[2,4] x) => (float[2,4] y) { y = Identity(x) }"
OPEN = "(float[b,n] x) => (float[b,n] y) { y = Identity(x) }"
SCALAR = "(float[b,4] x, float s) => (float[b,4] y) { y = Mul(x, s) }"
FLAT = "(float[n] x) => (float[n] y) { y = Identity(x) }"

CHOSEN = """(float[2,4] x) => (float[b,4] y) <bool[2] which = {1, 0}> {
    y = Compress<axis = 0>(x, which) }"""

X = 'name: "x" data_type: TYPE_FP32 dims: [4]'
Y = 'name: "y" data_type: TYPE_FP32 dims: [4]'


def onnx(
    file: str | bytes, inputs: str, outputs: str, size: int | None = 8, more: str = ""
) -> Files:
    """An onnxruntime model; inputs and outputs are fields of entries, with | between them."""
    entries = [
        f"{side} [{', '.join(f'{{ {entry.strip()} }}' for entry in entries.split('|'))}]"
        for side, entries in (("input", inputs), ("output", outputs))
        if entries
    ]
    head = [] if size is None else [f"max_batch_size: {size}"]
    config = "\n".join(
        ['backend: "onnxruntime"', *head, *entries, "instance_group { count: 1 kind: KIND_CPU }"]
    )
    return {
        "m/config.pbtxt": f"{config}\n{more}\n",
        "m/1/model.onnx": graph(file) if isinstance(file, str) else file,
    }


RIGHT = onnx(ROWS, X, Y)


def differs(shape: str, complete: str, tensor: str = "x") -> str:
    """What Triton says of two shapes that do not fit, where it puts the batch axis before one."""
    return (
        f"model 'm', tensor '{tensor}': the model expects {shape.count(',') + 1} dimensions (shape "
        f"{shape}) but the model configuration specifies {complete.count(',') + 1} dimensions (an "
        "initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, "
        f"making complete shape {complete})"
    )


def no_batch(tensor: str) -> str:
    """What Triton says of a tensor that cannot batch, where it completes nothing."""
    return (
        f"model 'm', tensor '{tensor}': for the model to support batching the shape should have at "
        "least 1 dimension and the first dimension must be -1; but shape expected by the model is "
        "[2,4]"
    )


CASES = [
    Case(
        "TK031",
        fails=onnx(
            """(float[b,4] x, float[4] k) => (float[b,4] y) <float[4] k = {1, 2, 3, 4}> {
                y = Mul(x, k) }""",
            f"{X} | {X.replace('x', 'k')} optional: true",
            Y,
        ),
        passes=RIGHT,
        says="unable to load model 'm', optional input 'k' is not supported for models that "
        "support batching",
        at="true",
    ),
    Case(
        "TK032",
        fails=onnx(ROWS, X.replace("[4]", "[-1, 4]"), Y),
        passes=RIGHT,
        says=differs("[-1,4]", "[-1,-1,4]"),
        at="-1, 4]",
    ),
    Case(
        "TK033",
        fails=onnx(ROWS, X, Y.replace("FP32", "BF16")),
        passes=RIGHT,
        says="unsupported datatype TYPE_BF16 for output 'y' for model 'm'",
        at="TYPE_BF16",
    ),
    Case(
        "TK040",
        fails=onnx(FIXED, "", ""),
        passes=RIGHT,
        says="autofill failed for model 'm': model does not support batching while non-zero "
        "max_batch_size is specified",
        at="8",
    ),
    Case(
        "TK040",
        fails=onnx("(float[b,4] x) => (float[2,4] y) { y = Identity(x) }", X, Y),
        passes=RIGHT,
        says=no_batch("y"),
        at="8",
    ),
    Case(
        "TK040",
        fails=onnx(CHOSEN, X, Y),
        passes=RIGHT,
        says=no_batch("x"),
        at="8",
        target=Target(autocomplete=False),
        unasked="the server completes configurations",
    ),
    Case(
        "TK041",
        fails=onnx(ROWS, X.replace("[4]", "[4, 4, 4]"), Y),
        passes=RIGHT,
        says=differs("[-1,4]", "[-1,4,4,4]"),
        at="4, 4, 4]",
    ),
    Case(
        "TK042",
        fails=onnx(ROWS, X.replace("[4]", "[5]"), Y),
        passes=RIGHT,
        says=differs("[-1,4]", "[-1,5]"),
        at="5]",
    ),
    Case(
        "TK042",
        fails=onnx(
            "(float[b,4,6] x) => (float[b,4,6] y) { y = Identity(x) }",
            f"{X.replace('[4]', '[24]')} reshape {{ shape: [6, 4] }}",
            Y.replace("[4]", "[4, 6]"),
        ),
        passes=RIGHT,
        says=differs("[-1,4,6]", "[-1,6,4]"),
        at="6, 4]",
        finds=2,
        unasked=ASKED,
    ),
    Case(
        "TK043",
        fails=onnx(ROWS, X, Y.replace("[4]", "[-1]")),
        passes=RIGHT,
        says=differs("[-1,4]", "[-1,-1]", "y"),
        at="-1]",
    ),
    Case(
        "TK044",
        fails=onnx(OPEN, X, Y),
        passes=onnx(OPEN, X, Y.replace("[4]", "[-1]")),
        says=differs("[-1,-1]", "[-1,4]", "y"),
        at="4]",
    ),
    Case(
        "TK045",
        fails=onnx(ROWS, f"{X} | {X.replace('x', 'z')}", Y),
        passes=RIGHT,
        says="unable to load model 'm', configuration expects 2 inputs, model provides 1",
        at="{ name",
    ),
    Case(
        "TK046",
        fails=onnx(ROWS, X.replace('"x"', '"X"'), Y),
        passes=RIGHT,
        says="unexpected inference input 'X', allowed inputs are: x",
        at='"X"',
    ),
    Case(
        "TK047",
        fails=onnx(ROWS, X, f'{Y} | name: "logits" data_type: TYPE_FP32 dims: [4]'),
        passes=RIGHT,
        says="unexpected inference output 'logits', allowed outputs are: y",
        at='"logits"',
    ),
    Case(
        "TK049",
        fails=onnx(ROWS, X.replace("FP32", "INT64"), Y),
        passes=RIGHT,
        says="unable to load model 'm', configuration expects datatype TYPE_INT64 for input 'x', "
        "model provides TYPE_FP32",
        at="TYPE_INT64",
    ),
    Case(
        "TK049",
        fails=onnx("(float[b,4] x) => (string[b,4] y) { y = Cast<to = 8>(x) }", X, Y),
        passes=RIGHT,
        says="unable to load model 'm', configuration expects datatype TYPE_FP32 for output 'y', "
        "model provides TYPE_BYTES",
        at="TYPE_FP32",
        unasked=ASKED,
    ),
    Case(
        "TK050",
        fails=onnx(SCALAR, f"{X.replace('[4]', '[2, 4]')} | {X.replace('x', 's')}", "", 0),
        passes=RIGHT,
        says="unable to load model 'm', scalar tensor 's', should only provide 1 in the model "
        "configuration when the model doesn't support batching. Model configuration provided: "
        "[4].",
        at="4] }]",
    ),
    Case(
        "TK051",
        fails=onnx(ROWS, f"{X} allow_ragged_batch: true", Y),
        passes=RIGHT,
        says="unable to load model 'm', configuration expects model provides input with shape "
        "[-1]  for ragged input 'x', model provides [-1,4]",
        at="true",
    ),
    Case(
        "TK051",
        fails=onnx(FLAT, f"{X} allow_ragged_batch: true optional: true", Y, 0),
        passes=RIGHT,
        says="unable to load model 'm', configuration expects model provides input with shape [-1] "
        "for ragged input 'x', which is not supported for optional input",
        at="true",
        unasked="it says first that the graph has an input more",
    ),
    Case(
        "TK131",
        fails=onnx(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", X, Y),
        passes=RIGHT,
        says="Load model from {repository}/m/1/model.onnx failed:Protobuf parsing failed.",
    ),
    Case(
        "TK131",
        fails={"m/1/model.onnx/model.onnx": ""},
        passes=RIGHT,
        says="Load model from {repository}/m/1/model.onnx/model.onnx failed:"
        "No graph was found in the protobuf.",
    ),
    Case(
        "TK058",
        fails=onnx(graph(ROWS, opset=22), X, Y),
        passes=RIGHT,
        says="ONNX Runtime only *guarantees* support for models stamped with official released "
        "onnx opset versions. Opset 22 is under development and support for this is limited.",
        unasked="the embedded server's onnxruntime is newer than that of release 24.10",
    ),
    Case(
        "TK058",
        fails=onnx(graph(ROWS, ir_version=11), X, Y),
        passes=RIGHT,
        says="Unsupported model IR version: 11, max supported IR version: 10",
        unasked="the embedded server's onnxruntime is newer than that of release 24.10",
    ),
    Case(
        "TK190",
        fails=onnx(graph(ROWS, opset=None), X, Y),
        passes=RIGHT,
        says="Missing opset in the model. All ModelProtos MUST have at least one entry that "
        "specifies which version of the ONNX OperatorSet is being imported.",
    ),
    Case("TK059", fails=onnx(with_weights("w.bin"), X, Y), passes=RIGHT),
    Case(
        "TK059",
        fails={**onnx(with_weights("w.bin"), X, Y), "m/1/w.bin": bytes(8)},
        passes=RIGHT,
        unasked=ASKED,
    ),
    Case(
        "TK063",
        fails=onnx(ROWS, "", "", 0),
        passes=RIGHT,
        at="0",
        says="autofilled max_batch_size to 4 for model 'm' since batching is supporrted but no "
        "max_batch_size is specified in model configuration. Must specify max_batch_size to "
        "utilize autofill with a larger max batch size",
    ),
    Case(
        "TK064",
        fails=onnx(ROWS, X.replace("[4]", "[-1, 4]"), "", None),
        passes=RIGHT,
        says=differs("[-1,4]", "[-1,-1,4]"),
        at="-1, 4]",
    ),
    Case(
        "TK150",
        fails=onnx(
            nodes(
                [helper.make_node("Foo", ["x"], ["y"], domain="my.ops")], [typed("x")], [typed("y")]
            ),
            X,
            Y,
        ),
        passes=RIGHT,
        says="my.ops:Foo(-1) is not a registered function/op",
    ),
    Case(
        "TK152",
        fails=onnx(SCALAR, f"{X} | {X.replace('x', 's').replace('[4]', '[1]')}", Y),
        passes=RIGHT,
        at='{ name: "s"',
    ),
    Case(
        "TK153",
        fails=onnx(sequence(), X, Y),
        passes=RIGHT,
        says="Unsupported ONNX Type 'ONNX_TYPE_SEQUENCE' for I/O 'y', expected 'ONNX_TYPE_TENSOR'.",
    ),
    Case(
        "TK153",
        fails=onnx(
            nodes(
                [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
                [typed("x", TensorProto.BFLOAT16)],
                [typed("y")],
            ),
            X.replace("FP32", "BF16"),
            Y,
        ),
        passes=RIGHT,
        unasked="it says first that TYPE_BF16 is not taken",
    ),
    Case(
        "TK154",
        fails=onnx(
            nodes(
                [helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")],
                [typed("x")],
                [typed("y", shape=("b", "n"))],
            ),
            X,
            Y,
        ),
        passes=RIGHT,
        says=differs("[-1,-1]", "[-1,4]", "y"),
        at="4]",
        unasked="it loads, and says nothing",
    ),
    Case(
        "TK155",
        fails={
            **onnx(ROWS, X, Y, more="version_policy { all {} }"),
            "m/2/model.onnx": graph(ROWS),
            "m/1/model.onnx": graph(
                """(float[b,5] x) => (float[b,4] y) <int64[4] i = {0, 1, 2, 3}> {
                    y = Gather<axis = 1>(x, i) }"""
            ),
        },
        passes=RIGHT,
        says=differs("[-1,5]", "[-1,4]"),
        at="4]",
        finds=1,
    ),
    Case(
        "TK157",
        fails=onnx(
            """(float[n] x, float[b] count) => (float[n] y, float[b] z) {
                y = Neg(x) z = Neg(count) }""",
            f"{X.replace('4', '-1')} allow_ragged_batch: true",
            'name: "z" data_type: TYPE_FP32 dims: [1] reshape { shape: [] }',
            8,
            'batch_input { kind: BATCH_ELEMENT_COUNT target_name: "n" data_type: TYPE_FP32 '
            'source_input: "x" }',
        ),
        passes=RIGHT,
        at='"n"',
    ),
    Case(
        "TK158",
        fails={
            **onnx(with_weights("w.bin"), X, Y),
            "m/1/w.bin": Path("../weights"),
            "m/weights": bytes(16),
        },
        passes=RIGHT,
        target=Target(release=Release(26, 5)),
    ),
    Case(
        "TK159",
        fails={**onnx(with_weights("../w.bin"), X, Y), "m/w.bin": bytes(16)},
        passes=RIGHT,
        unasked="the embedded server's onnxruntime is newer than that of release 24.10",
    ),
]
