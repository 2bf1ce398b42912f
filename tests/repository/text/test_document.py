"""Where values of a config.pbtxt stand, and what is wrong with one, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format

from tritonkit.errors import RepositoryError
from tritonkit.repository import ModelConfig
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.fault import Fault, Place
from tritonkit.repository.text.lines import Lines

CONFIG = """\
# a model
name: "fraud"
max_batch_size: 8
input [
  { name: "x" data_type: TYPE_FP32 dims: [ -1, 16 ] },
  {
    name: "y" # the second
    data_type: TYPE_INT64
    dims: 3
    dims: [ 4, 5 ]
  }
]
input { name: "z" dims: [] }
output < name: "label"; data_type: TYPE_STRING >
parameters { key: "intra_op_thread_count" value { string_value: "2" } }
parameters: [
  { key: "a" value: { string_value: "1" } },
  { value { string_value: "2" } key: 'b' }
]
dynamic_batching {
  priority_queue_policy { key: 1 value { max_queue_size: 4 } }
}
ensemble_scheduling {
  step { model_name: "m" input_map { key: "x" value: "t" } }
}
"""


@pytest.fixture(scope="module")
def document() -> Document:
    return Document.parse(CONFIG, source="config.pbtxt")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), (1, 1)),
        (("name",), (2, 7)),
        (("max_batch_size",), (3, 17)),
        (("input",), (5, 3)),
        (("input", 0), (5, 3)),
        (("input", 0, "dims"), (5, 44)),
        (("input", 0, "dims", 1), (5, 48)),
        (("input", 1, "data_type"), (8, 16)),
        (("input", 1, "dims", 0), (9, 11)),
        (("input", 1, "dims", 2), (10, 16)),
        (("input", 2), (13, 1)),
        (("output", 0), (14, 1)),
        (("parameters",), (15, 1)),
        (("parameters", "intra_op_thread_count"), (15, 19)),
        (("parameters", "intra_op_thread_count", "string_value"), (15, 65)),
        (("parameters", "b"), (18, 38)),
        (("parameters", "b", "string_value"), (18, 27)),
        (("dynamic_batching", "priority_queue_policy", 1, "max_queue_size"), (21, 58)),
        (("ensemble_scheduling", "step", 0, "input_map", "x"), (24, 54)),
    ],
)
def test_places(document: Document, path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    assert document.place(*path) == Place(*place)
    assert document.has(*path)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("backend",), (1, 1)),
        (("no such", "thing"), (1, 1)),
        (("input", 0, "reshape", "shape", 0), (5, 3)),
        (("input", 1, "dims", 9), (9, 11)),
        (("input", 7, "dims"), (5, 3)),
        (("input", 2, "dims", 0), (13, 1)),
        (("parameters", "no such"), (15, 1)),
        (("name", "x"), (2, 7)),
    ],
)
def test_what_is_absent_stands_where_its_surroundings_do(
    document: Document, path: tuple[str | int, ...], place: tuple[int, int]
) -> None:
    assert document.place(*path) == Place(*place)
    assert not document.has(*path)


def test_a_text_without_faults_means_what_protobuf_says() -> None:
    text = CONFIG.replace("ensemble_scheduling {", "model_operations {}\n#")
    text = text.replace('  step { model_name: "m" input_map { key: "x" value: "t" } }\n}\n', "")

    document = Document.parse(text, source="config.pbtxt")

    assert document.faults == ()
    assert document.config == text_format.Parse(text, ModelConfig())


def test_all_faults_are_told() -> None:
    text = """\
max_batch_sise: 8
platform: onnxruntime_onnx
input [ { name: "x" data_type: FP32 dims: [ 1 2, ] } ]
dims: [ 3 ]
instance_group { kind: KIND_CPU kind: KIND_GPU count = 2 }
dynamic_batching { } sequence_batching { }
optimization { graph { level 1 } }
parameters { key: "a" value: "b" }
"""

    document = Document.parse(text, source="config.pbtxt")

    assert document.config is None
    told = [(fault.line, fault.column, fault.message) for fault in document.faults]
    assert told == [
        (1, 1, "ModelConfig has no field 'max_batch_sise'; did you mean 'max_batch_size'?"),
        (2, 11, "platform is text, in quotes, but got onnxruntime_onnx"),
        (3, 32, "data_type has no value FP32; write TYPE_FP32"),
        (3, 47, "a ',' is missing in the list of 'dims'"),
        (3, 48, "the last value of a list has no comma after it; remove it"),
        (4, 1, "ModelConfig has no field 'dims'; it belongs in input, output, state, "
               "initial_state, inputs"),
        (5, 33, "'kind' is given twice; keep one of them"),
        (5, 54, "a ':' stands between a field and its value, not '='; write count: ..."),
        (6, 22, "'sequence_batching' excludes 'dynamic_batching', which is given too; "
                "keep one of them"),
        (7, 24, "a ':' is missing after 'level'"),
        (8, 30, "value is a block in braces, but got \"b\""),
    ]  # fmt: skip
    assert document.faults[0].triton == (
        '1:15: Message type "inference.ModelConfig" has no field named "max_batch_sise".'
    )
    # What can be read is still there, for whoever looks at the rest.
    assert [tensor.name for tensor in document.partial.input] == ["x"]
    assert document.partial.instance_group[0].count == 2


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        (
            'input {\n  name: "x"\n  reshape { shape: 1\n}\noutput { name: "y" }\n',
            "a '}' is missing before 'output', for the '{' of line 1",
            (5, 1),
        ),
        ('input [ { name: "x" ]\n', "a '}' is missing before ']'", (1, 21)),
        ('input [ { name: "x" }\noutput {}', "a ']' is missing in the list of 'input'", (2, 1)),
        ('input {\n  name: "x"\n', "'{' is never closed; close it by '}'", (1, 7)),
        ("input {}\n}", "'}' closes nothing; remove it, or open a block before it", (2, 1)),
    ],
)  # fmt: skip
def test_a_missing_brace_is_told_once(text: str, message: str, place: tuple[int, int]) -> None:
    (fault,) = Document.parse(text, source="config.pbtxt").faults
    assert (fault.message, fault.line, fault.column) == (message, *place)


def test_tritons_columns_are_the_same_in_whatever_order_they_are_asked_for() -> None:
    text = "\tab\u00e9\tc\n\t\t\U0001f600d\te\t\n\nf\t"
    lines = Lines(text)
    alone = [Lines(text).triton_place(offset) for offset in range(len(text) + 1)]
    assert alone[:5] == [Place(1, 1), Place(1, 9), Place(1, 10), Place(1, 11), Place(1, 13)]
    for step in (1, 2, 5, -1, -3):
        for offset in range(len(text) + 1)[::step]:
            assert lines.triton_place(offset) == alone[offset]


def test_a_line_is_one_string_however_often_it_is_asked_for() -> None:
    document = Document.parse("input { dims: [ " + "1, " * 1000 + "1 ] }", source="config.pbtxt")

    assert document.line(1) is document.line(1)


def test_lines(document: Document) -> None:
    """Lines end at line feeds alone."""
    assert document.line(1) == "# a model"
    assert document.line(CONFIG.count("\n")) == "}"
    assert document.line(0) == document.line(99) == ""
    assert Document.parse("# a\u2028b\r\n# c", source="").line(1) == "# a\u2028b"


def test_reads_a_file_or_a_model_directory(tmp_path: Path) -> None:
    file = tmp_path / "config.pbtxt"
    file.write_bytes(b'# bl\xe9\nname: "x\xff"\n')

    document = Document.read(tmp_path)

    assert document.source == str(file)
    assert document.faults == ()
    assert document.doubts == (Fault("name is no UTF-8 text: it has byte 0xff", 2, 7),)
    assert document.config is not None
    assert document.config.name == "x\ufffd"
    assert document.text.encode("utf-8", "surrogateescape") == file.read_bytes()
    with pytest.raises(RepositoryError, match="cannot be read: No such file"):
        Document.read(tmp_path / "missing.pbtxt")
