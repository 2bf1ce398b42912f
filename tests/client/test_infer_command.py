"""`tritonkit infer`, run as a user runs it, but in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tritonkit.cli import main

if TYPE_CHECKING:
    from conftest import Triton


def run(*arguments: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["infer", *map(str, arguments)], input=stdin)


def infer(triton: Triton, *arguments: str | Path, stdin: str = "") -> str:
    result = run("--url", triton.http, *arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_in_table_out(triton: Triton) -> None:
    output = infer(triton, "echo", "-i", "IN_INT32=[[1, -2]]", "-i", 'IN_STRING=[["é"]]')
    assert output.splitlines()[:3] == [
        "output      datatype  shape  values",
        "OUT_INT32   INT32     1x2    1 -2",
        "OUT_STRING  BYTES     1x1    'é'",
    ]


def test_only_the_outputs_asked_for(triton: Triton) -> None:
    output = infer(triton, "echo", "-i", "IN_INT32=[[1]]", "-o", "OUT_INT32")
    assert output.splitlines() == [
        "output     datatype  shape  values",
        "OUT_INT32  INT32     1x1    1",
    ]


def test_long_outputs_are_abbreviated(triton: Triton) -> None:
    value = json.dumps([[0.125] * 1000])
    output = infer(triton, "echo", "-i", f"IN_FP32={value}", "-o", "OUT_FP32")
    row = output.splitlines()[1]
    assert row.startswith("OUT_FP32  FP32      1x1000  0.125 0.125")
    assert row.endswith(" ...")
    assert len(row) < 110


def test_json_out_has_every_value(triton: Triton, tmp_path: Path) -> None:
    array = np.arange(2000, dtype=np.float32).reshape(1, -1)
    np.save(tmp_path / "x.npy", array)
    output = json.loads(
        infer(triton, "echo", "-i", f"IN_FP32=@{tmp_path}/x.npy", "-o", "OUT_FP32", "--json")
    )
    assert (output["model"], output["version"]) == ("echo", "1")
    tensor = output["outputs"]["OUT_FP32"]
    assert (tensor["datatype"], tensor["shape"]) == ("FP32", [1, 2000])
    assert tensor["data"] == array.tolist()


def test_bytes_that_are_no_text_are_escaped(triton: Triton, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('[["a"]]')
    output = infer(
        triton, "echo", "-i", f"IN_STRING=@{tmp_path}/x.json", "-o", "OUT_STRING", "--json"
    )
    assert json.loads(output)["outputs"]["OUT_STRING"]["data"] == [["a"]]


def test_json_from_standard_input(triton: Triton) -> None:
    output = infer(triton, "echo", "-i", "IN_INT8=-", "-o", "OUT_INT8", "--json", stdin="[[1, 2]]")
    assert json.loads(output)["outputs"]["OUT_INT8"]["data"] == [[1, 2]]


def test_parameters(triton: Triton) -> None:
    output = infer(
        triton,
        "echo",
        "-i",
        "IN_INT8=[[1]]",
        "-p",
        'a="b"',
        "-p",
        "n=7",
        "-o",
        "PARAMETERS",
        "--json",
    )
    (text,) = json.loads(output)["outputs"]["PARAMETERS"]["data"]
    assert json.loads(text)["a"] == "b"
    assert json.loads(text)["n"] == 7


def test_texts_by_position_option_and_line(triton: Triton) -> None:
    for arguments, stdin in (
        (("word", "raise"), ""),
        (("word", "--text", "raise"), ""),
        (("word", "--text", "-"), "raise\n"),
    ):
        result = run("--url", triton.http, "moody", *arguments[1:], "-i", "seconds=0", stdin=stdin)
        assert result.exit_code == 1
        assert "boom" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("same", "-i", "x=hello"), 2, "not JSON"),
        (("same", "-i", "x"), 2, "NAME=VALUE"),
        (("same", "-i", "x=@nowhere.npy"), 2, "cannot be read"),
        (("same", "-i", "x=[[1]]"), 2, r"must have shape [-1, 16]"),
        (("same", "-i", "X=[[1]]"), 2, "did you mean 'x'?"),
        (("same", "hello"), 2, "text needs a model with one text input"),
        (("nope", "-i", "x=1"), 1, "unknown model: 'nope'"),
        (("moody", "-i", "seconds=0", "--text", "raise"), 1, "boom"),
        (("same", "-i", "x=1", "--timeout", "fast"), 2, "duration"),
    ],
)
def test_mistakes(triton: Triton, arguments: tuple[str, ...], code: int, reason: str) -> None:
    result = run("--url", triton.http, *arguments)
    assert result.exit_code == code
    assert reason in result.stderr
    assert "Traceback" not in result.output


def test_a_pickle_is_not_opened(triton: Triton, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}]), allow_pickle=True)
    result = run("--url", triton.http, "same", "-i", f"x=@{tmp_path}/x.npy")
    assert result.exit_code == 2
    assert "allow_pickle=False" in result.stderr


def test_nobody_listens() -> None:
    result = run("--url", "http://127.0.0.1:1", "m", "-i", "x=1")
    assert result.exit_code == 1
    assert "cannot connect to http://127.0.0.1:1" in result.stderr


def test_an_empty_array_file(triton: Triton, tmp_path: Path) -> None:
    (tmp_path / "x.npy").touch()
    result = run("--url", triton.http, "same", "-i", f"x=@{tmp_path}/x.npy")
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


@pytest.mark.parametrize("arguments", [("--text", "-"), ("-i", "x=-")])
def test_standard_input_that_is_no_text(triton: Triton, arguments: tuple[str, ...]) -> None:
    command = ["infer", "--url", triton.http, "same", *arguments]
    result = CliRunner().invoke(main, command, input=b"\xff\n")
    assert result.exit_code == 2
    assert "must be UTF-8" in result.stderr


def test_what_json_cannot_say_is_null(triton: Triton, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[np.nan, np.inf, 1]], dtype=np.float32))
    output = infer(triton, "echo", "-i", f"IN_FP32=@{tmp_path}/x.npy", "-o", "OUT_FP32", "--json")
    assert json.loads(output)["outputs"]["OUT_FP32"]["data"] == [[None, None, 1]]


def test_an_output_has_its_own_type(triton: Triton) -> None:
    output = infer(triton, "echo", "-i", "IN_BF16=[[1.5]]", "-o", "OUT_BF16")
    assert output.splitlines()[1].split() == ["OUT_BF16", "BF16", "1x1", "1.5"]
