from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tritonkit.bench.inputs.files import Source
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.bench.inputs.raw import RawTensor
from tritonkit.bench.inputs.workload import Item
from tritonkit.client import Signature
from tritonkit.client.wire.datatypes import DATATYPES, to_bfloat16
from tritonkit.client.wire.tensors import encode_tensor
from tritonkit.errors import ConfigError, InvalidInput


@given(data=st.data(), datatype=st.sampled_from(sorted(DATATYPES.keys() - {"BYTES", "BF16"})))
def test_bytes_are_what_is_sent(data: st.DataObject, datatype: str) -> None:
    array = data.draw(hnp.arrays(DATATYPES[datatype], hnp.array_shapes(max_dims=3, max_side=4)))
    raw = bytes(encode_tensor(array, datatype)[0])
    found = RawTensor(raw).array(datatype, (-1, *array.shape[1:]))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == raw


def test_bfloat16_stays_what_it_is() -> None:
    values = to_bfloat16(np.float32([1.5, -2, np.inf]))
    assert RawTensor(values.tobytes()).array("BF16", (3,)).tobytes() == values.tobytes()


def items(folder: Path, model: Signature) -> list[Item]:
    return list(ModelInputs(sources=[Source(path=folder)]).workload(model).items)


def test_a_folder_is_one_row_with_a_file_for_each_input(sign, tmp_path: Path) -> None:
    model = sign(x="FP32 -1", t="BYTES 2", outputs={"y": "FP32 3"})
    np.float32([1, 2, 3]).tofile(tmp_path / "x")
    (tmp_path / "t").write_text("one\u2028\ntwo\n", encoding="utf-8")
    np.float32([1, 2, 3]).tofile(tmp_path / "y")
    (tmp_path / ".hidden").touch()
    (item,) = items(tmp_path, model)
    assert item.inputs["x"].tolist() == [[1, 2, 3]]
    assert item.inputs["t"].tolist() == [["one\u2028", "two"]]
    assert item.check is not None
    assert item.check({"y": np.float32([[1, 2, 4]])}) == (
        "output 'y' at [0, 2]: expected 3, but got 4"
    )


def test_a_wrong_folder_is_refused(sign, tmp_path: Path) -> None:
    model = sign(x="FP32 2", t="BYTES 2", outputs={"y": "FP32 3"})
    with pytest.raises(ConfigError, match="is empty: it must hold pictures, or a file"):
        items(tmp_path, model)
    np.float32([1, 2, 3]).tofile(tmp_path / "y")
    with pytest.raises(ConfigError, match="must have a file for each input of model 'm': x, t"):
        items(tmp_path, model)
    (tmp_path / "x").write_bytes(b"123456789")
    with pytest.raises(ConfigError, match=r"'x' must be whole elements of 4 bytes .* got 9 bytes"):
        items(tmp_path, model)
    (tmp_path / "x").write_bytes(b"1234")
    with pytest.raises(ConfigError, match=r"'x' must have 2 elements for shape \[2\] .* got 1"):
        items(tmp_path, model)
    (tmp_path / "x").write_bytes(b"12345678")
    (tmp_path / "t").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="t cannot be read"):
        items(tmp_path, model)
    (tmp_path / "other").touch()
    with pytest.raises(ConfigError, match=r"other must be named as .*: x, t, y"):
        items(tmp_path, model)


def test_one_unknown_size_beside_a_size_of_nothing_is_not_guessed() -> None:
    with pytest.raises(InvalidInput, match=r"must have 0 elements or a multiple .* got 0"):
        RawTensor(b"").array("FP32", (-1, 0))
