from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tritonkit.bench.inputs.values import parse_shape, parse_texts
from tritonkit.client.commands.named_value import parse_named_value
from tritonkit.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image:3,224,224", ("image", (3, 224, 224))),
        ("input:0:1,2", ("input:0", (1, 2))),
        ("scalar:", ("scalar", ())),
    ],
)
def test_a_shape_is_a_name_and_dims(text: str, expected: tuple[str, tuple[int, ...]]) -> None:
    assert parse_shape(text) == expected


@pytest.mark.parametrize("text", ["image", ":1,2", "image:a", "image:1,,2", "image:-1"])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="NAME:DIMS"):
        parse_shape(text)


def test_texts_of_a_file_are_its_lines(tmp_path: Path) -> None:
    """Of the many ends of a line that Unicode has, editors know two; models see the others."""
    texts = ["a\u2028b", "\x85c", "d\x0be\x1cf"]
    (tmp_path / "a.txt").write_bytes("\r\n".join([*texts, "", ""]).encode())
    assert parse_texts(f"@{tmp_path / 'a.txt'}") == tuple(texts)
    (tmp_path / "b.txt").write_bytes("\n".join(texts).encode())
    assert parse_texts(f"@{tmp_path / 'b.txt'}") == tuple(texts)


@pytest.mark.parametrize("text", ["x={deep}", "x=@{path}"])
def test_json_that_is_nested_too_deeply_is_refused(tmp_path: Path, text: str) -> None:
    deep = "[" * 100_000
    (tmp_path / "deep.json").write_text(deep)
    with pytest.raises(ConfigError, match=r"nested too deeply|recursion depth"):
        parse_named_value(text.format(deep=deep, path=tmp_path / "deep.json"))


def test_an_input_is_json_or_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    (tmp_path / "a.json").write_text('[["a"], ["b\\u0000"]]')
    assert parse_named_value("x=[[1, 2]]") == ("x", [[1, 2]])
    assert parse_named_value('x="a=b"') == ("x", "a=b")
    assert parse_named_value(f"x=@{tmp_path / 'a.npy'}")[1].tolist() == [0, 1, 2]
    assert parse_named_value(f"x=@{tmp_path / 'a.json'}") == ("x", [["a"], ["b\0"]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "NAME=VALUE"),
        ("=[1]", "NAME=VALUE"),
        ("x=hello", "not JSON"),
        ("x=@missing.npy", "cannot be read from missing.npy"),
        ("x=@missing.json", "cannot be read from missing.json"),
    ],
)
def test_what_is_no_input_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_named_value(text)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"[1, 2]"])
def test_an_input_file_that_is_no_array_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="input 'x' cannot be read from"):
        parse_named_value(f"x=@{path}")


@pytest.mark.parametrize("content", [b"", b"[1, ", b"\xff"])
def test_an_input_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="input 'x' cannot be read from"):
        parse_named_value(f"x=@{path}")


def test_an_input_file_with_a_pickle_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        parse_named_value(f"x=@{tmp_path / 'a.npy'}")


def test_texts_are_one_or_a_file_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "texts"
    path.write_text("one\n\n two\n", encoding="utf-8")
    assert parse_texts("a sentence") == ("a sentence",)
    assert parse_texts(f"@{path}") == ("one", " two")


@pytest.mark.parametrize("content", [b"\n \n", b"\xff"])
def test_a_file_without_texts_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "texts"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="texts"):
        parse_texts(f"@{path}")
