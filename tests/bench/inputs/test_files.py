from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.inputs.files import Source
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.bench.inputs.workload import Item
from tritonkit.client import Signature
from tritonkit.errors import ConfigError


def items(path: Path, model: Signature, batch_size: int = 1, **options: Any) -> list[Item]:
    inputs = ModelInputs(sources=[Source(path=path)], **options)
    return list(inputs.workload(model, batch_size=batch_size).items)


def jsonl(folder: Path, *lines: Any) -> Path:
    path = folder / "requests.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


@given(rows=st.integers(1, 20), batch_size=st.integers(1, 8))
def test_every_row_of_a_file_is_sent_in_its_order(
    sign, tmp_path_factory: pytest.TempPathFactory, rows: int, batch_size: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "x.npz"
    x = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
    np.savez(path, x=x, t=np.array([f"text {n}" for n in range(rows)]))
    sent = items(path, sign(x="FP32 2", t="BYTES 1"), batch_size)
    assert len(sent) == -(-rows // batch_size)
    assert all(item.rows == batch_size for item in sent)
    # In turn: the last request is filled up from the start.
    places = np.arange(len(sent) * batch_size) % rows
    np.testing.assert_array_equal(np.concatenate([i.inputs["x"] for i in sent]), x[places])
    texts = [text for item in sent for text in item.inputs["t"].ravel()]
    assert texts == [f"text {n}" for n in places]


def test_an_array_file_is_the_models_only_input_or_a_named_one(sign, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.float32([[1, 2], [3, 4]]))
    assert [i.inputs["x"].tolist() for i in items(path, sign(x="FP32 2"))] == [[[1, 2]], [[3, 4]]]
    model = sign(x="FP32 2", y="FP32 2")
    with pytest.raises(ConfigError, match="'m' has 2 inputs: x, y; name one"):
        items(path, model)
    workload = ModelInputs(sources=[Source.parse(f"y={path}")]).workload(model)
    assert workload.items[1].inputs["y"].tolist() == [[3, 4]]
    # What the file does not have is made, and the description says which is which.
    assert workload.items[0].inputs["x"].shape == (1, 2)
    assert workload.description == {
        "x": "FP32 [batch, 2], random, uniform in [0, 1)",
        "y": f"FP32 [-1, 2], 2 rows of {path}",
    }


def test_a_text_file_has_a_text_a_line(sign, tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("hello\n\nwörld\n", encoding="utf-8")
    sent = items(path, sign(t="BYTES 1", n="INT32 1"))
    assert [item.inputs["t"].tolist() for item in sent] == [[["hello"]], [[""]], [["wörld"]]]


def test_a_line_is_a_request_a_row_or_a_value(sign, tmp_path: Path) -> None:
    model = sign(x="FP32 2", outputs={"y": "FP32 2"})
    path = jsonl(
        tmp_path,
        {"inputs": {"x": [1, 2]}, "parameters": {"k": 3}, "outputs": {"y": [1, 2]}},
        {"inputs": {"x": [3, 4]}, "outputs": ["y"]},
        {"x": [5, 6]},
        [7, 8],
    )
    sent = items(path, model)
    assert [item.inputs["x"].tolist() for item in sent] == [
        [[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]],
    ]  # fmt: skip
    assert [item.parameters for item in sent] == [{"k": 3}, {}, {}, {}]
    assert [item.outputs for item in sent] == [(), ("y",), (), ()]
    check = sent[0].check
    assert check is not None
    assert check({"y": np.float32([[1, 2]])}) is None
    assert check({"y": np.float32([[1, 3]])}) == ("output 'y' at [0, 1]: expected 2, but got 3")
    assert [item.check for item in sent[1:]] == [None, None, None]
    assert items(path, model, checked=False)[0].check is None


def test_an_input_named_inputs_is_an_input(sign, tmp_path: Path) -> None:
    (sent,) = items(jsonl(tmp_path, {"inputs": [1, 2]}), sign(inputs="FP32 2"))
    assert sent.inputs["inputs"].tolist() == [[1, 2]]


def test_rows_of_several_lengths_go_alone(sign, tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"x": [1]}, {"x": [1, 2]})
    model = sign(x="INT64 -1")
    assert [item.inputs["x"].shape for item in items(path, model)] == [(1, 1), (1, 2)]
    with pytest.raises(ConfigError, match=r":2: input 'x' has shape \[2\], but in .*:1, with"):
        items(path, model, batch_size=2)


def test_a_model_without_batching_gets_a_whole_tensor_a_line(sign, tmp_path: Path) -> None:
    (sent,) = items(jsonl(tmp_path, [[1, 2]]), sign(max_batch_size=0, x="FP32 1,2"))
    assert sent.inputs["x"].tolist() == [[1, 2]]


def test_an_optional_input_may_come_and_go(sign, tmp_path: Path) -> None:
    model = sign(x="FP32 1", more="FP32 1", optional=("more",))
    path = jsonl(tmp_path, {"x": 1}, {"x": 2, "more": 3}, {"x": 4})
    assert [list(item.inputs) for item in items(path, model)] == [["x"], ["x", "more"], ["x"]]
    with pytest.raises(ConfigError, match=r":2: has other inputs than .*:1"):
        items(path, model, batch_size=2)


def test_several_files_come_one_after_the_other(sign, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.float32([[1]]))
    inputs = ModelInputs(
        sources=[Source(path=tmp_path / "a.npy"), Source(path=jsonl(tmp_path, {"x": 2}))]
    )
    workload = inputs.workload(sign(x="FP32 1"))
    assert [item.inputs["x"].tolist() for item in workload.items] == [[[1]], [[2]]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"x": ["a"]}, r"requests.jsonl:2: input 'x' must be FP32, but got"),
        ({"x": [1, 2]}, r":2: input 'x' must have shape \[1\] \(FP32\), but got \[2\]"),
        ({"z": [1]}, r":2: model 'm' has no input 'z'; its inputs are x, w, t"),
        ({"w": [1]}, r":2: input 'x' is missing, which .*requests.jsonl:1 has"),
        ({"x": 1, "w": 1}, r":2: has input 'w', which .*requests.jsonl:1 lacks"),
        ({"inputs": {"x": 1}, "parameter": {}}, r":2: .*no 'parameter' .*mean 'parameters'"),
        ({"inputs": {"x": 1}, "parameters": 1}, ":2: parameters must be an object, but got 1"),
        ({"inputs": {"x": 1}, "parameters": {"k": [1]}}, ":2: parameter 'k' must be a text"),
        ({"inputs": {"x": 1}, "parameters": {"k": float("nan")}}, "a finite number, .* got nan"),
        ({"x": 1, "t": "\udc80"}, ":2: input 't' holds text that cannot be written as UTF-8"),
        ({"inputs": {"x": 1}, "outputs": {"l": "\udc80"}}, ":2: output 'l' holds text that"),
        ({"inputs": {"x": 1}, "outputs": "y"}, ":2: outputs must be an object .* got 'y'"),
        ({"inputs": {"x": 1}, "outputs": ["z"]}, ":2: model 'm' has no output 'z'"),
        ({"inputs": {"x": 1}, "outputs": {"y": "a"}}, ":2: output 'y' must be FP32"),
        ({"inputs": {"x": 1}, "outputs": {"y": [1, 2]}}, r":2: output 'y' must have shape \[1\]"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(
    sign, tmp_path: Path, line: Any, message: str
) -> None:
    model = sign(
        x="FP32 1",
        w="FP32 1",
        t="BYTES 1",
        outputs={"y": "FP32 1", "l": "BYTES 1"},
        optional=("t",),
    )
    with pytest.raises(ConfigError, match=message):
        items(jsonl(tmp_path, {"x": 1}, line), model)


def test_a_wrong_first_line_is_named_as_well(sign, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":1: model 'm' has no input 'z'; its inputs are x"):
        items(jsonl(tmp_path, {"z": 1}), sign(x="FP32 1"))
    with pytest.raises(
        ConfigError, match=r":1: a request has inputs, .* but no 'output' \(did you"
    ):
        items(jsonl(tmp_path, {"inputs": {"x": 1}, "output": {}}), sign(x="FP32 1"))


def test_many_wrong_lines_are_named_together(sign, tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"x": 1}, {"x": "a"}, {"x": 2}, {"x": "b"})
    with pytest.raises(ConfigError, match=r"(?s)^[^\n]*:2: [^\n]*\n[^\n]*:4: [^\n]*$"):
        items(path, sign(x="FP32 1"))
    path = jsonl(tmp_path, *[{"x": "a"}] * 50)
    with pytest.raises(ConfigError, match="and perhaps more") as caught:
        items(path, sign(x="FP32 1"))
    assert len(str(caught.value).splitlines()) == 11


def test_rows_of_a_request_share_its_parameters(sign, tmp_path: Path) -> None:
    path = jsonl(
        tmp_path,
        {"inputs": {"x": 1}, "parameters": {"k": 1}},
        {"inputs": {"x": 1}, "parameters": {"k": 2}},
    )
    with pytest.raises(ConfigError, match=r":2: has other parameters .* make the batch size 1"):
        items(path, sign(x="FP32 1"), batch_size=2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"", "is no .npy file"),
        ("x.npy", b"\x93NUMPY\x01\x00", "cannot be read"),
        ("x.npz", b"", "is no .npz file"),
        ("x.npz", b"PK\x03\x04garbage", "cannot be read"),
        ("x.jsonl", b"{", r"x.jsonl:1: is not JSON"),
        ("x.jsonl", b"\n\n", "there is no request for model 'm'"),
        ("x.jsonl", b"\xff\n", r":1: must be UTF-8"),
        ("x.txt", b"\xff\n", "'m' has 0 text inputs"),
        ("x.csv", b"1,2", "must be a .npy, .npz, .jsonl, .txt or .json file, a picture"),
    ],
)
def test_what_is_no_such_file_is_refused(
    sign, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        items(tmp_path / name, sign(x="FP32 1"))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_pickle_is_not_opened(sign, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    array = np.array([[{}]], dtype=object)
    if suffix == "npy":
        np.save(path, array, allow_pickle=True)
    else:
        np.savez(path, x=array)
    with pytest.raises(ConfigError, match="cannot be read"):
        items(path, sign(x="FP32 1"))


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for text in ("nowhere.npy", "x=nowhere.npy"):
        with pytest.raises(ConfigError, match=r"file or folder, but there is no 'nowhere\.npy'"):
            Source.parse(text)
    path = tmp_path / "a=b.npy"
    path.touch()
    assert Source.parse(str(path)) == Source(path=path)
    assert Source.parse(f"x={path}") == Source(path=path, name="x")


def test_expected_outputs_stand_beside_a_file(sign, tmp_path: Path) -> None:
    model = sign(x="FP32 2", outputs={"y": "FP32 2", "label": "BYTES 1"})
    np.save(tmp_path / "x.npy", np.float32([[1, 2], [3, 4], [5, 6]]))
    y = np.float64([[1, 2], [3, 4], [5, 6]])
    expected = tmp_path / "expected.npz"
    np.savez(expected, y=y, label=np.array(["a", "b", "c"]))
    sent = items(tmp_path / "x.npy", model, batch_size=2, expected=expected)
    checks = [item.check for item in sent]
    assert None not in checks
    answer = {"y": np.float32(y[[2, 0]]), "label": np.array([[b"c"], [b"a"]], dtype=object)}
    assert checks[1](answer) is None  # type: ignore[misc]  # checked above
    assert checks[0](answer) == (  # type: ignore[misc]
        "output 'y' at [0, 0]: expected 1, but got 5; 3 more differ"
    )
    np.savez(expected, y=y[:2])
    with pytest.raises(ConfigError, match=r"expected.npz has 2 rows, but .*x.npy has 3"):
        items(tmp_path / "x.npy", model, expected=expected)
    np.savez(expected, z=y)
    with pytest.raises(ConfigError, match="no output 'z'; its outputs are y, label"):
        items(tmp_path / "x.npy", model, expected=expected)
    with pytest.raises(ConfigError, match=r"must be an .npz file with an array for each output"):
        items(tmp_path / "x.npy", model, expected=tmp_path / "x.npy")
    with pytest.raises(ConfigError, match=r"belong to one file of inputs, .* there are none"):
        ModelInputs(expected=expected)
