"""Two rows have one key if, and only if, nothing that may change the answer differs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tritonkit.client import InferRequest
from tritonkit.client.keys import (
    FORMAT,
    KEY_BYTES,
    Digest,
    keyed_digest,
    plain_digest,
    row_keys,
    whole_keys,
)
from tritonkit.client.wire.datatypes import to_bfloat16
from tritonkit.errors import ConfigError, InvalidInput

GOLDEN = Path(__file__).with_name("golden_keys.json")
SECRET = bytes(range(32))
NUMERIC = [
    "?", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8",
]  # fmt: skip

Request = Callable[..., InferRequest]


def request(x: Any = None, **fields: Any) -> InferRequest:
    x = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32) if x is None else x
    return InferRequest(**{"model": "m", "inputs": {"x": x}, **fields})


def keys(
    asked: InferRequest, identity: bytes = b"i" * 16, epoch: bytes = b"", **options: Any
) -> tuple[bytes, ...]:
    """Of the rows, and of the whole."""
    rows = row_keys(asked, identity=identity, epoch=epoch, **options)
    return (*rows, *whole_keys(asked, identity=identity, epoch=epoch, **options))


def texts(*items: Any) -> Any:
    array = np.empty((len(items), 1), dtype=object)
    array[:, 0] = items
    return array


names = st.text(max_size=4)
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names
parameters = st.dictionaries(
    names,
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | names,
    max_size=3,
)


@st.composite
def arrays(draw: st.DrawFn, rows: int) -> Any:
    shape = (rows, *draw(shapes))
    if draw(st.integers(0, 3)) == 0:
        size = int(np.prod(shape))
        array = np.empty(size, dtype=object)
        array[:] = draw(st.lists(names | st.binary(max_size=3), min_size=size, max_size=size))
        return array.reshape(shape)
    return draw(hnp.arrays(draw(st.sampled_from(NUMERIC)), shape))


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that goes into a key, of one or two rows."""
    rows = draw(st.integers(1, 2))
    return {
        "inputs": draw(st.dictionaries(names, arrays(rows), min_size=1, max_size=3)),
        "outputs": draw(st.none() | st.lists(names, min_size=1, max_size=3).map(tuple)),
        "parameters": draw(parameters),
        "scope": draw(names),
        "identity": draw(st.binary(min_size=16, max_size=16)),
        "epoch": draw(st.binary(max_size=8)),
    }


def keys_of(question: dict[str, Any]) -> tuple[bytes, ...]:
    fields = {**question}
    identity, epoch = fields.pop("identity"), fields.pop("epoch")
    return keys(InferRequest(model="m", **fields), identity, epoch)


def meaning(question: dict[str, Any], row: int | None) -> Any:
    """What a key stands for, said another way: as nested tuples."""

    def element(item: Any) -> Any:
        return item.encode() if isinstance(item, str) else item

    inputs = []
    for name, array in sorted(question["inputs"].items()):
        part = array if row is None else array[row : row + 1]
        if array.dtype == object:
            values: Any = tuple(map(element, part.ravel().tolist()))
        else:
            values = part.tobytes()
        inputs.append((name, array.dtype.str, part.shape[row is not None :], values))
    outputs = question["outputs"]
    return (
        row is None,
        tuple(inputs),
        None if outputs is None else tuple(sorted(set(outputs))),
        tuple(
            (name, type(value).__name__, repr(value))
            for name, value in sorted(question["parameters"].items())
        ),
        question["scope"],
        question["identity"],
        question["epoch"],
    )


@given(questions(), questions(), st.data())
def test_one_key_is_one_meaning(
    one: dict[str, Any], other: dict[str, Any], data: st.DataObject
) -> None:
    """Also where two questions differ in a single field."""
    for field in data.draw(st.sets(st.sampled_from(sorted(one)))):
        other[field] = one[field]
    by_key: dict[bytes, Any] = {}
    for question in (one, other):
        try:
            found = keys_of(question)
        except ValueError:
            # The fields came from two questions: the rows do not agree.
            return
        rows = len(found) - 1
        for key, row in zip(found, (*range(rows), None), strict=True):
            said = meaning(question, row)
            assert by_key.setdefault(key, said) == said
            assert len(key) == KEY_BYTES
    assert len(set(map(repr, by_key.values()))) == len(by_key)


BASE = request()
DIFFERENT: dict[str, InferRequest] = {
    "base": BASE,
    "values": request(np.array([[1.0, 2.5], [3.5, 4.0]], dtype=np.float32)),
    "negative zero": request(np.array([[-0.0, 0.0], [0.0, 0.0]], dtype=np.float32)),
    "zero": request(np.array([[0.0, -0.0], [0.0, -0.0]], dtype=np.float32)),
    "type of the same bytes": request(np.array([[1.0, 2.0], [3.0, 4.0]], "f4").view("i4")),
    "unsigned": request(np.array([[1.0, 2.0], [3.0, 4.0]], "f4").view("u4")),
    "wider": request(np.array([[1.0, 2.0], [3.0, 4.0]], "f8")),
    "shape": request(np.array([[[1.0, 2.0]], [[3.0, 4.0]]], "f4")),
    "column": request(np.array([[[1.0], [2.0]], [[3.0], [4.0]]], "f4")),
    "name": request(inputs={"y": BASE.inputs["x"]}),
    "scope": request(scope="s"),
    "scope of zeros": request(scope="\0"),
    "no outputs": request(outputs=("",)),
    "output": request(outputs=("y",)),
    "outputs": request(outputs=("y", "z")),
    "joined outputs": request(outputs=("yz",)),
    "parameter 1": request(parameters={"k": 1}),
    "parameter 1.0": request(parameters={"k": 1.0}),
    "parameter True": request(parameters={"k": True}),
    "parameter '1'": request(parameters={"k": "1"}),
    "parameter 0": request(parameters={"k": 0}),
    "parameter 0.0": request(parameters={"k": 0.0}),
    "parameter -0.0": request(parameters={"k": -0.0}),
    "parameter False": request(parameters={"k": False}),
    "parameter ''": request(parameters={"k": ""}),
    "another parameter": request(parameters={"j": 1}),
    "two parameters": request(parameters={"j": 1, "k": 1}),
    "a parameter like two": request(parameters={"ji1k": 1}),
    "texts a bc": request(texts("a", "bc")),
    "texts ab c": request(texts("ab", "c")),
    "texts in one row": request(np.array([["a", "bc"]], dtype=object)),
    "other texts in one row": request(np.array([["ab", "c"]], dtype=object)),
    "empty texts": request(np.array([["", "abc"]], dtype=object)),
    "a length in a text": request(texts(b"\x01\x00\x00\x00a", b"")),
    "inputs a bc": request(inputs={"a": texts("x", "y"), "bc": texts("x", "y")}),
    "inputs ab c": request(inputs={"ab": texts("x", "y"), "c": texts("x", "y")}),
    "inputs crossed": request(inputs={"a": texts("y", "x"), "bc": texts("x", "y")}),
    "no elements": request(np.zeros((2, 0), "f4")),
    "no elements, otherwise": request(np.zeros((2, 0, 3), "f4")),
}


def test_each_difference_is_another_key() -> None:
    found: dict[bytes, str] = {}
    for name, asked in DIFFERENT.items():
        for key in set(keys(asked)):
            assert key not in found, (name, found[key])
            found[key] = name
    for name, other in (("identity", {"identity": b"j" * 16}), ("epoch", {"epoch": b"e"})):
        for key in keys(BASE, **other):
            assert key not in found
            found[key] = name


def test_epoch_and_identity_are_two_parts() -> None:
    assert keys(BASE, b"ab", b"c") != keys(BASE, b"a", b"bc")
    assert keys(BASE, b"", b"abc") != keys(BASE, b"abc", b"")


def test_six_floats_are_two_shapes() -> None:
    """The first of the four wrong answers of Triton's own cache."""
    flat = np.arange(6, dtype=np.float32)
    wide, high = request(flat.reshape(2, 3)), request(flat.reshape(3, 2))
    assert not set(keys(wide)) & set(keys(high))


def test_equal_rows_have_equal_keys_wherever_they_stand() -> None:
    a, b = [1.0, 2.0], [3.0, 4.0]
    first = keys(request(np.array([a, b, a], dtype=np.float32)))
    second = keys(request(np.array([b, a], dtype=np.float32)))
    alone = keys(request(np.array([a], dtype=np.float32)))
    assert first[0] == first[2] == second[1] == alone[0] != first[1] == second[0]
    assert len({first[-1], second[-1], alone[-1], alone[0]}) == 4


@given(st.sampled_from(NUMERIC), st.data())
def test_layout_changes_nothing(dtype: str, data: st.DataObject) -> None:
    """Order, strides, byte order, writeability: the same values are the same rows."""
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)))
    expected = keys(request(array))
    wide = np.repeat(array, 2, axis=-1)
    frozen = array.copy()
    frozen.flags.writeable = False
    others = [
        np.asfortranarray(array),
        wide[..., ::2],
        np.flip(np.flip(array).copy()),
        array.astype(array.dtype.newbyteorder(">")),
        np.asfortranarray(array.astype(array.dtype.newbyteorder(">"))),
        frozen,
        np.frombuffer(b"?" + array.tobytes(), dtype=np.uint8)[1:].view(dtype).reshape(array.shape),
    ]
    for other in others:
        assert keys(request(other)) == expected


def test_text_is_its_bytes() -> None:
    """However it is held."""
    items = ["", "a", "grün", "日本"]
    expected = keys(request(texts(*items)))
    encoded = [item.encode() for item in items]
    for other in (
        texts(*encoded),
        texts(*map(bytearray, encoded)),
        texts(*map(np.str_, items)),
        texts(items[0], encoded[1], bytearray(encoded[2]), memoryview(encoded[3])),
        np.array(items).reshape(4, 1),
        np.array(encoded).reshape(4, 1),
        np.asfortranarray(texts(*items)),
        np.repeat(texts(*items), 2, axis=0)[::2],
    ):
        assert keys(request(other)) == expected
        assert len(set(keys(request(other[:, 0])))) == 5
    two = np.array([["a", "bc"], ["d", ""]], dtype=object)
    encoded_two = np.array([[b"a", bytearray(b"bc")], ["d", b""]], dtype=object)
    for other in (encoded_two, two.T.copy().T, np.array(two.tolist())):
        assert keys(request(other)) == keys(request(two))


def test_both_kinds_of_bfloat16() -> None:
    values = np.array([[1.0, -2.5], [0.0, np.inf]], dtype=np.float32)
    ours, theirs = to_bfloat16(values), values.astype(ml_dtypes.bfloat16)
    assert keys(request(ours)) == keys(request(theirs))
    assert keys(request(np.asfortranarray(theirs))) == keys(request(theirs))
    assert not set(keys(request(theirs))) & set(keys(request(values.astype("f2"))))
    assert not set(keys(request(theirs))) & set(keys(request(theirs.view("u2"))))


def test_order_of_inputs_outputs_and_parameters_changes_nothing() -> None:
    x, y = np.ones((2, 1), "f4"), np.zeros((2, 1), "f4")
    one = request(inputs={"x": x, "y": y}, outputs=("a", "b"), parameters={"j": 1, "k": "v"})
    other = request(inputs={"y": y, "x": x}, outputs=("b", "a", "b"), parameters={"k": "v", "j": 1})
    assert keys(one) == keys(other)


def test_what_cannot_change_the_answer_changes_nothing() -> None:
    """The model is in its identity, which knows the version that answers."""
    other = request(id="7", deadline=1.0, version="3", model="n")
    assert keys(other) == keys(BASE)


def test_equal_by_python_but_not_by_type() -> None:
    """What is remembered of 1 is not used for True, in either order."""
    values = [1, True, 1.0, "1", True, 1]
    found = [keys(request(parameters={"k": value})) for value in values]
    assert found[0] == found[5]
    assert found[1] == found[4]
    assert len(set(found)) == 4


@pytest.mark.parametrize("value", [None, b"1", [1], np.int64(1)])
def test_what_is_no_parameter(value: Any) -> None:
    with pytest.raises(InvalidInput, match="parameter 'k' must be"):
        keys(request(parameters={"k": value}))


@pytest.mark.parametrize(
    "array", [np.zeros((1, 1), complex), texts("a", 1), texts("\ud800"), texts(None)]
)
def test_what_cannot_be_sent(array: Any) -> None:
    """By row and as a whole; the message names the input."""
    for key in (row_keys, whole_keys):
        with pytest.raises(InvalidInput, match="input 'x'"):
            key(request(array), identity=b"")


def test_rows_without_bytes() -> None:
    """There are as many keys as rows, all the same."""
    *rows, _ = keys(request(np.zeros((3, 0), "f4")))
    assert len(rows) == 3
    assert len(set(rows)) == 1
    *rows, _ = keys(request(np.empty((3, 0), object)))
    assert len(rows) == 3
    assert len(set(rows)) == 1


def golden() -> dict[str, Any]:
    found = {name: [key.hex() for key in keys(asked)] for name, asked in DIFFERENT.items()}
    return {
        "format": FORMAT.decode(),
        "plain": found,
        "keyed": [key.hex() for key in keys(BASE, digest=keyed_digest(SECRET))],
    }


def test_golden_vectors() -> None:
    """Keys of this format, written down once: a store of last year is still understood."""
    written = json.loads(GOLDEN.read_text())
    assert written["format"] == FORMAT.decode(), "a new format needs new vectors"
    assert written == golden()


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_another_process_makes_the_same_keys(seed: str) -> None:
    """Whatever its hash seed."""
    code = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("keys_test", {__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.test_golden_vectors()
print("same")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "same\n", done.stderr


@pytest.mark.parametrize("length", [0, 1, 31])
def test_a_secret_that_is_too_short(length: int) -> None:
    with pytest.raises(ConfigError, match=f"32 bytes or more, but got {length}"):
        keyed_digest(bytes(length))


@given(st.lists(st.binary(min_size=32, max_size=40), min_size=2, max_size=6, unique=True))
def test_another_secret_makes_another_key(secrets: list[bytes]) -> None:
    digests: list[Digest] = [plain_digest, *map(keyed_digest, secrets)]
    found = [key for digest in digests for key in keys(BASE, digest=digest)]
    assert len(set(found)) == len(found)
    assert {len(key) for key in found} == {KEY_BYTES}


def test_the_same_secret_makes_the_same_key() -> None:
    """In every process that shares the store, long secrets included."""
    for secret in (SECRET, SECRET * 4):
        assert keys(BASE, digest=keyed_digest(secret)) == keys(BASE, digest=keyed_digest(secret))
    assert keyed_digest(SECRET * 2)(b"") != keyed_digest(SECRET)(b"")
