"""Whatever a file holds, it is read or refused by a message; never anything else."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tritonkit.bench.inputs.files import Source
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.client import Signature
from tritonkit.errors import ConfigError

_WORDS = ("x", "t", "y", "data", "validation_data", "content", "shape", "b64", "inputs", "outputs")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(("", "AAAA", "AAAAAA==", "a\udc80", *_WORDS)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from((*_WORDS, "parameters")), inner, max_size=4)
    ),
    max_leaves=12,
)
tensors = st.dictionaries(st.sampled_from(("x", "t", "y", "z")), values, max_size=3)
steps = st.lists(tensors | st.lists(tensors, max_size=2), max_size=3)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "file"


def read(path: Path, content: bytes, suffix: str, model: Signature) -> None:
    file = path.with_suffix(suffix)
    file.write_bytes(content)
    try:
        workload = ModelInputs(sources=[Source(path=file)]).workload(model, batch_size=2)
    except ConfigError:
        return
    for item in workload.items:
        assert item.inputs["x"].dtype == np.int64
        assert item.inputs["x"].shape[0] == item.rows == 2
        if item.check is not None:
            item.check({"y": np.zeros((2, 1), np.float32), "t": item.inputs["t"]})


@settings(max_examples=50)
@given(
    document=st.fixed_dictionaries({"data": steps}, optional={"validation_data": steps | values})
)
def test_any_json_of_perf_analyzer(sign, path: Path, document: dict[str, Any]) -> None:
    model = sign(x="INT64 -1", t="BYTES 1", outputs={"y": "FP32 1", "t": "BYTES 1"})
    read(path, json.dumps(document, indent=1).encode(), ".json", model)


@settings(max_examples=50)
@given(lines=st.lists(values | tensors, max_size=4))
def test_any_json_lines(sign, path: Path, lines: list[Any]) -> None:
    model = sign(x="INT64 -1", t="BYTES 1", outputs={"y": "FP32 1", "t": "BYTES 1"})
    read(path, "\n".join(map(json.dumps, lines)).encode(), ".jsonl", model)


@settings(max_examples=50)
@given(data=st.data(), suffix=st.sampled_from([".npy", ".npz"]))
def test_any_damage_of_an_array_file(sign, path: Path, data: st.DataObject, suffix: str) -> None:
    buffer = io.BytesIO()
    if suffix == ".npy":
        np.save(buffer, np.ones((3, 2), np.int64))
    else:
        np.savez(buffer, x=np.ones((3, 2), np.int64))
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read(
        path, bytes(content[: data.draw(st.integers(0, len(content)))]), suffix, sign(x="INT64 -1")
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_is_compressed_otherwise_and_damaged(sign, path: Path, method: int) -> None:
    """Numpy reads every kind that zipfile has; each has exceptions of its own."""
    array = io.BytesIO()
    np.save(array, np.arange(400))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("x.npy", array.getvalue())
    content = buffer.getvalue()
    for place in range(30, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        read(path, bytes(damaged), ".npz", sign(x="INT64"))


def test_lines_that_are_nested_too_deeply(sign, path: Path) -> None:
    read(path, b"[" * 100_000, ".jsonl", sign(x="INT64 -1"))


@given(content=st.binary(max_size=60), suffix=st.sampled_from([".json", ".jsonl", ".npz", ".png"]))
def test_any_bytes(sign, path: Path, content: bytes, suffix: str) -> None:
    read(path, content, suffix, sign(x="INT64 -1"))
