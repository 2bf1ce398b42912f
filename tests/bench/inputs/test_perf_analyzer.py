from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tritonkit.bench.inputs.files import Source
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.bench.inputs.workload import Item
from tritonkit.client import Signature
from tritonkit.client.wire.tensors import encode_tensor
from tritonkit.errors import ConfigError


def written(folder: Path, document: Any, **options: Any) -> Path:
    path = folder / "data.json"
    text = document if isinstance(document, str) else json.dumps(document, **options)
    path.write_text(text, encoding="utf-8")
    return path


def items(path: Path, model: Signature, **options: Any) -> list[Item]:
    return list(ModelInputs(sources=[Source(path=path)], **options).workload(model).items)


def b64(array: np.ndarray, datatype: str) -> str:
    return base64.b64encode(bytes(encode_tensor(array, datatype)[0])).decode()


@given(
    rows=st.lists(
        hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=4)),
        min_size=1,
        max_size=4,
    ),
    form=st.sampled_from(["content", "b64", "content b64"]),
    nested=st.booleans(),
)
def test_every_form_gives_the_same_tensors(
    sign,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[np.ndarray],
    form: str,
    nested: bool,
) -> None:
    def tensor(row: np.ndarray) -> Any:
        encoded = {"b64": b64(row, "INT32")}
        content = row.ravel().tolist() if form == "content" else encoded
        shape = {"shape": list(row.shape)}
        return {**encoded, **shape} if form == "b64" else {"content": content, **shape}

    steps: list[Any] = [{"x": tensor(row)} for row in rows]
    path = written(
        tmp_path_factory.mktemp("json"), {"data": [steps[:1], steps[1:]] if nested else steps}
    )
    sent = items(path, sign(x="INT32 -1,-1"))
    assert len(sent) == len(rows)
    for item, row in zip(sent, rows, strict=True):
        np.testing.assert_array_equal(item.inputs["x"], row[np.newaxis])


def test_the_examples_of_its_documentation(sign, tmp_path: Path) -> None:
    ones = [1] * 16
    path = written(
        tmp_path,
        {
            "data": [{"INPUT0": ones, "INPUT1": ones}],
            "validation_data": [{"OUTPUT0": [0] * 16, "OUTPUT1": [2] * 16}],
        },
    )
    model = sign(
        INPUT0="INT32 4,4",
        INPUT1="INT32 4,4",
        outputs={"OUTPUT0": "INT32 4,4", "OUTPUT1": "INT32 4,4"},
    )
    (item,) = items(path, model)
    assert item.inputs["INPUT0"].tolist() == [[[1] * 4] * 4]
    assert item.check is not None
    zeros, twos = np.zeros((1, 4, 4), np.int32), np.full((1, 4, 4), 2, np.int32)
    assert item.check({"OUTPUT0": zeros, "OUTPUT1": twos}) is None
    assert item.check({"OUTPUT0": twos, "OUTPUT1": twos}) == (
        "output 'OUTPUT0' at [0, 0, 0]: expected 0, but got 2; 15 more differ"
    )


def test_texts_are_a_list_or_have_their_lengths_before_them(sign, tmp_path: Path) -> None:
    encoded = b64(np.array(["hello", "ä"], dtype=object), "BYTES")
    path = written(tmp_path, {"data": [[{"t": ["1", "2"]}], [{"t": {"b64": encoded}}]]})
    first, second = items(path, sign(t="BYTES 2"))
    assert first.inputs["t"].tolist() == [["1", "2"]]
    assert second.inputs["t"].tolist() == [[b"hello", "ä".encode()]]


def test_nested_lists_are_as_good_as_flat_ones(sign, tmp_path: Path) -> None:
    path = written(tmp_path, {"data": [{"x": [[1, 2], [3, 4]]}]})
    assert items(path, sign(x="FP32 2,2"))[0].inputs["x"].tolist() == [[[1, 2], [3, 4]]]


def test_a_dynamic_dimension_follows_from_the_content_or_from_the_shape(
    sign, tmp_path: Path
) -> None:
    path = written(tmp_path, {"data": [{"x": [1, 2, 3, 4]}]})
    assert items(path, sign(x="FP16 -1,2"))[0].inputs["x"].shape == (1, 2, 2)
    with pytest.raises(ConfigError, match=r"has 2 dynamic dimensions .* with --shape"):
        items(path, sign(x="FP32 -1,-1"))
    (item,) = items(path, sign(x="FP32 -1,-1"), shapes={"x": (4, 1)})
    assert item.inputs["x"].shape == (1, 4, 1)


def test_a_name_of_the_model_in_a_step_is_left_alone(sign, tmp_path: Path) -> None:
    path = written(tmp_path, {"data": [{"x": [1], "model": "m"}]})
    assert list(items(path, sign(x="FP32 1"))[0].inputs) == ["x"]


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        ([{"x": "a"}], 3, r"data\[0\].x must be a list of values .* but got 'a'"),
        ([{"x": {"shape": [1]}}], 3, r"data\[0\].x must have \"content\" or \"b64\""),
        ([{"x": {"content": [1], "shape": [-1]}}], 3, r"data\[0\].x.shape must be .* got \[-1\]"),
        ([{"x": {"content": [1], "shape": 1}}], 3, r"x.shape must be a list of sizes, but got 1"),
        ([{"x": {"b64": "!"}}], 3, r"data\[0\].x.b64 is not base64"),
        ([{"x": {"b64": "AA=="}}], 3, "'x' must be whole elements of 4 bytes .* got 1 bytes"),
        ([{"x": [1, 2]}], 3, r"'x' must have 1 elements for shape \[1\] \(FP32\), but got 2"),
        ([{"x": {"content": [1], "shape": [1, 1]}}], 3, r"its shape is given as \[1, 1\]"),
        ([{"x": [1]}, {"x": ["a"]}], 8, r"data\[1\]: input 'x' must be FP32"),
        ([{"x": [1]}, {"z": [1]}], 8, r"data\[1\]: model 'm' has no input 'z'"),
        ([{"x": [1]}, {}], 8, r"data\[1\]: input 'x' is missing"),
        ([[{"x": [1]}], {"x": [1]}], 10, r"data\[1\] mixes lists of steps with steps"),
        ([[{"x": [1]}], [{"x": [1]}, 5]], 16, r"data\[1\]\[1\] must be an object .* got 5"),
        ([5], 3, r"data\[0\] must be an object of tensors, but got 5"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_field(
    sign, tmp_path: Path, data: Any, line: int, message: str
) -> None:
    path = written(tmp_path, {"data": data}, indent=1)
    with pytest.raises(ConfigError, match=rf"data.json:{line}: .*{message}"):
        items(path, sign(x="FP32 1", w="FP32 1"))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "data.json:1: is not JSON"),
        ('{\n"data": [1,]}', "data.json:2: is not JSON"),
        ("[]", 'must be an object with a list "data"'),
        ('{"data": {}}', 'must be an object with a list "data"'),
        ('{"data": []}', "there is no request for model 'm'"),
        ("[" * 100_000, "cannot be read"),
        ('{"data": [{"x": [1]}],\n"validation_data": 5}', ":2: validation_data must be a list"),
        ('{"data": [{"x": [1]}],\n"validation_data": []}', "must have the same steps"),
        ('{"data": [{"x": [1]}], "validation_data": [[{}]]}', "must have the same steps"),
        ('{"data": [{"x": [1]}],\n"validation_data": [{"y": 5}]}', r"data\[0\].y must be a list"),
        ('{"data": [{"x": [1]}], "validation_data": [{"z": [5]}]}', "no output 'z'"),
    ],
)
def test_what_is_not_its_form_is_refused(sign, tmp_path: Path, document: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        items(written(tmp_path, document), sign(x="FP32 1", outputs={"y": "FP32 1"}))


def test_a_text_whose_length_lies_is_refused(sign, tmp_path: Path) -> None:
    lies = base64.b64encode(b"\x09\x00\x00\x00abc").decode()
    path = written(tmp_path, {"data": [{"t": {"b64": lies}}]})
    with pytest.raises(ConfigError, match="its 7 bytes end within text 1"):
        items(path, sign(t="BYTES 1"))
