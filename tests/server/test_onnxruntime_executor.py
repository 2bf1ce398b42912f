"""Joining requests, running them and splitting the outputs, on real sessions."""

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import parser

from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.batch_input import (
    BatchInput,
    read_batch_inputs,
)
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.completion import complete
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.errors import (
    LoadError,
    RequestError,
)
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.executor import (
    Answer,
    Call,
    Executor,
)
from tritonkit.server.backends.onnxruntime.tritonkit_onnxruntime.graph import read_graph


class Counting:
    """A session that remembers the first input's shape of every run."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.runs: list[tuple[int, ...]] = []
        self.names: list[tuple[str, ...]] = []

    def run(self, names: Any, feeds: Any, options: Any) -> Any:
        self.runs.append(next(iter(feeds.values())).shape)
        self.names.append(tuple(names))
        return self._session.run(names, feeds, options)


def serve(text: str, **fields: Any) -> tuple[Executor, Counting]:
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options)
    graph = read_graph(session)
    config = {"name": "m", **fields}
    completion, _ = complete(config, graph, default_max_batch_size=64)
    counting = Counting(session)
    return Executor(counting, graph, {**config, **completion}), counting


def call(*outputs: str, id: str = "", **inputs: Any) -> Call:
    return Call({n: np.asarray(a) for n, a in inputs.items()}, outputs or ("y",), id)


def floats(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(-1, 1)


def strings(*values: bytes) -> NDArray[np.object_]:
    return np.array(values, np.object_)


def outputs(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer, dict), answer
    return {name: array.tolist() for name, array in answer.items()}


def error(answer: Answer) -> RequestError:
    assert isinstance(answer, RequestError), answer
    return answer


DOUBLE = "(float[b,1] x) => (float[b,1] y) { y = Add(x, x) }"
BOTH = "(float[b,1] x) => (float[b,1] y, float[b,1] z) { y = Add(x, x) z = Neg(x) }"


def test_requests_run_as_one_batch():
    executor, session = serve(DOUBLE)
    answers = executor.answer([call(x=floats(1)), call(x=floats(2, 3)), call(x=floats(4))])
    assert [outputs(a)["y"] for a in answers] == [[[2]], [[4], [6]], [[8]]]
    assert session.runs == [(4, 1)]


def test_one_request_is_not_copied():
    """The session gets the very array of the request."""
    executor, session = serve(DOUBLE)
    x = floats(1, 2)
    seen = []
    inner = session._session

    class Spy:
        def run(self, names: Any, feeds: Any, options: Any) -> Any:
            seen.append(feeds["x"])
            return inner.run(names, feeds, options)

    session._session = Spy()
    executor.answer([Call({"x": x}, ("y",))])
    assert seen[0] is x


def test_responses_are_views_of_the_batch():
    executor, _ = serve(DOUBLE)
    first, second = executor.answer([call(x=floats(1)), call(x=floats(2))])
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["y"].base is second["y"].base is not None


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False), min_size=1), min_size=1))
def test_each_request_gets_its_own_rows(batch: list[list[float]]):
    executor, _ = serve(BOTH)
    answers = executor.answer([call("z", "y", x=floats(*rows)) for rows in batch])
    for rows, answer in zip(batch, answers, strict=True):
        assert outputs(answer)["z"] == [[-value] for value in rows]
        assert len(outputs(answer)["y"]) == len(rows)


def test_only_the_outputs_that_are_wanted_are_asked_for():
    executor, session = serve(BOTH)
    (answer,) = executor.answer([call("z", x=floats(1))])
    assert outputs(answer) == {"z": [[-1]]}
    assert session.names == [("z",)]


def test_a_batch_asks_for_what_any_request_wants_and_gives_each_its_own():
    executor, session = serve(BOTH)
    answers = executor.answer([call("z", x=floats(1)), call("y", "z", x=floats(2))])
    assert [outputs(a) for a in answers] == [{"z": [[-1]]}, {"y": [[4]], "z": [[-2]]}]
    assert [set(names) for names in session.names] == [{"y", "z"}]


GATHER = "(int64[b] x) => (float[b] y) <float[3] t = {10, 20, 30}> { y = Gather(t, x) }"


def test_a_bad_request_fails_alone():
    executor, session = serve(GATHER)
    answers = executor.answer([call(x=[0]), call(x=[7]), call(x=[2])])
    assert outputs(answers[0]) == {"y": [10]}
    assert outputs(answers[2]) == {"y": [30]}
    assert str(error(answers[1])).startswith("onnx runtime error 2: ")
    assert error(answers[1]).code == "INTERNAL"
    assert session.runs == [(3,), (1,), (1,), (1,)]


def test_a_single_bad_request_runs_once():
    executor, session = serve(GATHER)
    (answer,) = executor.answer([call(x=[7])])
    assert "onnx runtime error 2: " in str(error(answer))
    assert session.runs == [(1,)]


def test_shapes_that_do_not_join_run_alone():
    executor, session = serve("(float[b,n] x) => (float[b,n] y) { y = Neg(x) }")
    answers = executor.answer([call(x=np.ones((1, 2), "f4")), call(x=np.ones((2, 3), "f4"))])
    assert [np.shape(outputs(a)["y"]) for a in answers] == [(1, 2), (2, 3)]
    assert session.runs == [(1, 2), (2, 3)]


def test_without_batching_every_request_runs_alone():
    executor, session = serve("(float[2] x) => (float[2] y) { y = Neg(x) }")
    answers = executor.answer([call(x=np.float32([1, 2])), call(x=np.float32([3, 4]))])
    assert [outputs(a)["y"] for a in answers] == [[-1, -2], [-3, -4]]
    assert session.runs == [(2,), (2,)]


def test_a_model_that_breaks_the_batch_is_told_so():
    """Each request that finds no rows fails, with its id; those before it do not."""
    first_row = "y = Compress <axis = 0> (x, first)"
    executor, session = serve(
        f"(float[b,1] x) => (float[c,1] y) <bool[1] first = {{1}}> {{ {first_row} }}"
    )
    answers = executor.answer([call(x=floats(5)), call(x=floats(1), id="me"), call(x=floats(2))])
    assert outputs(answers[0]) == {"y": [[5]]}
    assert str(error(answers[1])) == (
        "[request id: me] failed to split the output tensor 'y' in responses: expected batch "
        "size of atleast 2 in model output, got 1"
    )
    assert str(error(answers[2])).startswith("[request id: <id_unknown>] failed to split")
    assert error(answers[1]).code == "UNSUPPORTED"
    assert session.runs == [(3, 1)]


ECHO = "(string[b] x) => (string[b] y) { y = Identity(x) }"


def test_strings_go_through_as_they_are():
    executor, _ = serve(ECHO)
    values = [b"", b"abc", "héllo 世界 😀".encode(), b"nul\0inside", b"trailing\0"]
    (answer,) = executor.answer([call(x=strings(*values))])
    assert outputs(answer)["y"] == [value.decode() for value in values]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_text_goes_through(values: list[str]):
    executor, _ = serve(ECHO)
    (answer,) = executor.answer([call(x=strings(*(v.encode() for v in values)))])
    assert outputs(answer)["y"] == values


def test_bytes_that_are_no_text_fail_for_their_request_only():
    executor, session = serve(ECHO)
    batch = [strings(b"a"), strings(b"b", b"\xff\xfe"), strings(b"c")]
    answers = executor.answer([call(x=array) for array in batch])
    assert [outputs(answers[0])["y"], outputs(answers[2])["y"]] == [["a"], ["c"]]
    assert str(error(answers[1])).startswith(
        "element 1 of string input 'x' is not UTF-8, which ONNX strings must be: 'utf-8' codec"
    )
    assert error(answers[1]).code == "INVALID_ARG"
    assert session.runs == [(2,)]


@pytest.mark.parametrize(
    ("onnx_type", "dtype"),
    [
        ("bool", np.bool_),
        *((name, np.dtype(name)) for name in ("uint8", "uint16", "uint32", "uint64")),
        *((name, np.dtype(name)) for name in ("int8", "int16", "int32", "int64")),
        ("float16", np.float16),
        ("float", np.float32),
        ("double", np.float64),
    ],
)
def test_every_numeric_type(onnx_type: str, dtype: Any):
    executor, _ = serve(f"({onnx_type}[b,2] x) => ({onnx_type}[b,2] y) {{ y = Identity(x) }}")
    (answer,) = executor.answer([call(x=np.array([[0, 1]], dtype))])
    assert isinstance(answer, dict)
    assert answer["y"].dtype == dtype
    assert answer["y"].tolist() == [[0, 1]]


@pytest.mark.parametrize("onnx_type", ["float", "string"])
def test_tensors_of_no_elements(onnx_type: str):
    dtype = np.float32 if onnx_type == "float" else np.object_
    executor, _ = serve(f"({onnx_type}[n,2] x) => ({onnx_type}[2,n] y) {{ y = Transpose(x) }}")
    (answer,) = executor.answer([call(x=np.zeros((0, 2), dtype))])
    assert isinstance(answer, dict)
    assert answer["y"].shape == (2, 0)


def test_scalars_travel_as_one_element():
    executor, session = serve("(float[] x, float[2] v) => (float[] y) { y = Identity(x) }")
    (answer,) = executor.answer([call(x=np.float32([3]), v=np.float32([1, 2]))])
    assert outputs(answer) == {"y": [3]}
    assert session.runs == [()]


def test_an_input_with_a_value_of_its_own_may_be_left_out():
    text = "(float[2] x, float[2] w) => (float[2] y) <float[2] w = {10, 20}> { y = Add(x, w) }"
    executor, _ = serve(text)
    x = np.float32([1, 2])
    left_out, given_too = executor.answer([call(x=x), call(x=x, w=np.float32([0, 0]))])
    assert outputs(left_out)["y"] == [11, 22]
    assert outputs(given_too)["y"] == [1, 2]


def test_a_wrong_type_is_told_in_onnxruntimes_words():
    executor, _ = serve(DOUBLE)
    (answer,) = executor.answer([call(x=np.ones((1, 1), np.float64))])
    assert str(error(answer)).startswith("onnx runtime error 2: Unexpected input data type.")


def test_ragged_inputs_are_laid_end_to_end():
    """The server adds where each request ends, and the model gives a row a request."""
    text = """(float[n] x, int32[b] ends) => (float[b,k] y) {
        zero = Constant <value = int64[1] {0}> ()
        sums = CumSum (x, zero)
        one = Constant <value = int32[1] {1}> ()
        last = Sub (ends, one)
        picked = Gather (sums, last)
        axis = Constant <value = int64[1] {1}> ()
        y = Unsqueeze (picked, axis)
    }"""
    batch_input = {
        "kind": "BATCH_ACCUMULATED_ELEMENT_COUNT",
        "target_name": ["ends"],
        "data_type": "TYPE_INT32",
        "source_input": ["x"],
    }
    ragged = {"name": "x", "data_type": "TYPE_FP32", "dims": [-1], "allow_ragged_batch": True}
    fields: dict[str, Any] = {"max_batch_size": 8, "input": [ragged], "batch_input": [batch_input]}
    executor, session = serve(text, **fields)
    arrays = [[[1, 2, 3]], [[10]], [[100, 200]]]
    answers = executor.answer([call(x=np.float32(array)) for array in arrays])
    assert [outputs(a)["y"] for a in answers] == [[[6]], [[16]], [[316]]]
    assert session.runs == [(6,)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("BATCH_ELEMENT_COUNT", [6, 2]),
        ("BATCH_ACCUMULATED_ELEMENT_COUNT", [6, 8]),
        ("BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO", [0, 6, 8]),
        ("BATCH_MAX_ELEMENT_COUNT_AS_SHAPE", [0] * 6),
        ("BATCH_ITEM_SHAPE", [[3], [3], [2]]),
        ("BATCH_ITEM_SHAPE_FLATTEN", [3, 3, 2]),
    ],
)
def test_batch_inputs(kind: str, expected: list[Any]):
    """Two rows of three elements and one row of two."""
    values = BatchInput(kind, ("t",), "x", np.float32).values([np.ones((2, 3)), np.ones((1, 2))])
    assert values.dtype == np.float32
    assert values.tolist() == expected


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"kind": "BATCH_MOOD"}, "unexpected batch input kind 'BATCH_MOOD'"),
        (
            {"kind": "BATCH_ITEM_SHAPE", "data_type": "TYPE_INT8"},
            "unexpected batch input data type 'TYPE_INT8'",
        ),
    ],
)
def test_batch_inputs_are_checked(entry: dict[str, str], text: str):
    with pytest.raises(LoadError, match=f"^{text}$"):
        read_batch_inputs({"batch_input": [entry]})
