from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tritonkit.errors import RepositoryError
from tritonkit.repository import ModelConfig, parse_config, read_config, render_config


def test_a_rendered_config_parses_back() -> None:
    config = ModelConfig(name="m", backend="python", max_batch_size=8)
    config.input.add(name="x", data_type="TYPE_FP32", dims=[-1, 3])
    config.parameters["note"].string_value = 'quotes " and\nlines, Zürich'
    assert parse_config(render_config(config), source="test") == config


@given(st.text(), st.text(), st.integers(0, 2**31 - 1))
@example(name="\x85\u2028", value="", batch=0)
def test_any_text_survives(name: str, value: str, batch: int) -> None:
    config = ModelConfig(name=name, max_batch_size=batch)
    config.parameters["p"].string_value = value
    assert parse_config(render_config(config), source="test") == config


def test_a_batch_size_of_zero_is_written_out() -> None:
    """Triton completes what is not written."""
    assert "max_batch_size: 0\n" in render_config(ModelConfig(name="m", backend="python"))
    assert render_config(ModelConfig()) == "max_batch_size: 0\n"
    assert "max_batch_size: 0" not in render_config(ModelConfig(name="m", max_batch_size=4))


def test_comments_stand_above_their_fields() -> None:
    config = ModelConfig(name="m", backend="python")
    config.input.add(name="name", data_type="TYPE_FP32", dims=[1])
    for key in ("k", "other"):
        config.parameters[key].string_value = "backend: no field"
    comments = {
        "name": "First.\n\nSecond.",
        "max_batch_size": "None.",
        "backend": "Which.",
        "parameters.k": "Read.",
        "optimization": "Not there.",
    }
    assert (
        render_config(config, comments)
        == """\
# First.
#
# Second.
name: "m"
# None.
max_batch_size: 0
input {
  name: "name"
  data_type: TYPE_FP32
  dims: [1]
}
# Read.
parameters {
  key: "k"
  value {
    string_value: "backend: no field"
  }
}
parameters {
  key: "other"
  value {
    string_value: "backend: no field"
  }
}
# Which.
backend: "python"
"""
    )


@given(st.dictionaries(st.sampled_from(["name", "max_batch_size", "parameters.p"]), st.text()))
@example({"name": 'a\u2028b\x85"c\rd\ne: 1'})
@example({"name": "a\0b: 1"})
def test_no_comment_changes_what_is_read(comments: dict[str, str]) -> None:
    config = ModelConfig(name="m\u2028name: ", max_batch_size=3)
    config.parameters["p"].string_value = "v"
    assert parse_config(render_config(config, comments), source="test") == config


def test_an_unknown_field_is_reported_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "config.pbtxt"
    file.write_text('name: "m"\n  max_batchsize: 8\n')
    with pytest.raises(RepositoryError, match=rf"^{file}:2:3: .*max_batchsize"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('input { name: "x" data_type: TYPE_FLOAT }', "1:30"),
        ("input [\n  { name: 'x' }\n", "3:1"),
        ("max_batch_size: many", "1:17"),
    ],
)
def test_a_wrong_value_is_reported_with_its_place(text: str, place: str) -> None:
    with pytest.raises(RepositoryError, match=rf"^m/config\.pbtxt:{place}: "):
        parse_config(text, source="m/config.pbtxt")


def test_a_text_is_right_where_triton_takes_it() -> None:
    """Which protobuf's parser for Python does not in all of these."""
    text = "input { optional: t data_type: 0xb } # \u00e9"
    assert parse_config(text, source="test").input[0].optional
    for wrong in ("input { data_type: -2147483649 }", "max_batch_size: +1", r"platform: '\q'"):
        with pytest.raises(RepositoryError, match=r"^test:1:"):
            parse_config(wrong, source="test")


def test_a_fault_is_told_without_what_a_terminal_obeys() -> None:
    with pytest.raises(RepositoryError, match=r"got '\\x1b\[31m'\.$"):
        parse_config("max_batch_size: '\x1b[31m'", source="test")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"config\.pbtxt cannot be read: No such file"):
        read_config(tmp_path)


def test_bytes_that_are_no_text_are_located(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").write_bytes(b'name: "\xff"')
    with pytest.raises(RepositoryError, match="not UTF-8 text: byte 7 is 0xff"):
        read_config(tmp_path)
