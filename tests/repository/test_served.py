"""JSON of a running server to config.pbtxt and back, and what of two configurations differs."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from tritonkit.cli import main
from tritonkit.errors import RepositoryError
from tritonkit.repository import ModelConfig, parse_config
from tritonkit.repository.difference import differences
from tritonkit.repository.served import parse_served, read_any, render_served
from tritonkit.server.testing import TritonServer

MODEL = """
class TritonPythonModel:
    def execute(self, requests):
        return []
"""
WHOLE = """
backend: "python"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]
output [ { name: "y" data_type: TYPE_STRING dims: [ 1 ] } ]
"""
CONFIGS = {
    "batched": WHOLE
    + """
dynamic_batching {
  max_queue_delay_microseconds: 18446744073709551615
  default_queue_policy { default_timeout_microseconds: 9007199254740993 }
  priority_levels: 3
  default_priority_level: 1
  priority_queue_policy { key: 2 value { timeout_action: DELAY max_queue_size: 4294967295 } }
}
parameters { key: "a \\"quoted\\" é" value { string_value: "\\n" } }
metric_tags { key: "k" value: "v" }
version_policy { specific { versions: [ 1 ] } }
optimization { priority: 7 }
""",
    "sequence": WHOLE
    + """
sequence_batching {
  direct { minimum_slot_utilization: 0.1 }
  control_input { name: "S" control { kind: CONTROL_SEQUENCE_START fp32_false_true: [0, 1.5] } }
  state {
    input_name: "a" output_name: "b" data_type: TYPE_FP32 dims: [ 1 ]
    initial_state { name: "z" data_type: TYPE_FP32 dims: [ 1 ] zero_data: false }
  }
}
instance_group { kind: KIND_CPU count: 2 }
""",
    "ensemble": WHOLE.replace('backend: "python"', 'platform: "ensemble"')
    + """
ensemble_scheduling { step {
  model_name: "batched" model_version: -1
  input_map { key: "x" value: "x" } output_map { key: "y" value: "y" }
} }
""",
}


def test_what_a_server_says_survives_the_way_to_text_and_back(
    model_repository: Path, triton_server: TritonServer, tmp_path: Path
) -> None:
    for name, text in CONFIGS.items():
        version = model_repository / name / "1"
        version.mkdir(parents=True)
        (version.parent / "config.pbtxt").write_text(text)
        if name != "ensemble":
            (version / "model.py").write_text(MODEL)
    server = triton_server(model_repository)

    for name, text in CONFIGS.items():
        with urlopen(f"{server.http_url}/v2/models/{name}/config") as answer:
            said = answer.read().decode()
        file = tmp_path / f"{name}.json"
        file.write_text(said)

        config = read_any(file)
        converted = CliRunner().invoke(main, ["config", "convert", str(file)])
        assert converted.exit_code == 0
        assert parse_config(converted.output, source=name) == config
        (tmp_path / "config.pbtxt").write_text(converted.output)
        back = CliRunner().invoke(main, ["config", "convert", str(tmp_path / "config.pbtxt")])

        assert parse_served(back.output, source=name) == config
        assert json.loads(back.output).keys() == json.loads(said).keys()
        # The server adds to what was written, and takes nothing away.
        told = differences(parse_config(text, source=name), config)
        assert {each.left for each in told} == {"(absent)"}
        assert "name" in {each.path for each in told}


def test_the_form_is_told_by_what_stands_in_it(tmp_path: Path) -> None:
    """What curl saves is called as the last part of the URL, and a shell gives a pipe."""
    saved = tmp_path / "config"
    saved.write_text('\n{"name": "m", "max_batch_size": 8}')
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(saved.read_text(),))
    writer.start()
    same = CliRunner().invoke(main, ["config", "diff", str(saved), str(pipe)])
    writer.join()

    assert same.exit_code == 0, same.output
    converted = CliRunner().invoke(main, ["config", "convert", str(saved)])
    assert converted.output == 'name: "m"\nmax_batch_size: 8\n'


def test_a_file_that_no_configuration_fills_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)

    with pytest.raises(RepositoryError, match="is larger than 16 MiB"):
        read_any(file)


def test_a_terminal_is_told_no_escapes(tmp_path: Path) -> None:
    for name, value in (("a", "1"), ("b", "2")):
        text = f"parameters {{ key: '\\x1b[31m\\n' value: {{ string_value: '\\x7f{value}' }} }}"
        (tmp_path / name).write_text(text)

    told = CliRunner().invoke(main, ["config", "diff", str(tmp_path / "a"), str(tmp_path / "b")])

    assert told.exit_code == 1
    assert told.output == ('parameters[\\x1b[31m\\n].string_value: "\\x7f1" -> "\\x7f2"\n')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "a.json:1:2: no JSON: "),
        ("[]", "an object is expected, but got list"),
        ('{"error": "no model"}', "is an error that a server gave: no model"),
        ('{"max_batch_sise": 1}', 'no field named "max_batch_sise"'),
        ('{"max_batch_size": "x"}', "max_batch_size"),
        ('{"name": "\\ud800"}', "is no JSON of a configuration"),
        ('{"\\ud800": 1}', "is no JSON of a configuration"),
        ('{"max_batch_size": 1e999}', "is no JSON of a configuration"),
        ("[" * 100_000, "is no JSON of a configuration"),
        ('{"input":' * 2_000 + "1" + "}" * 2_000, "is no JSON of a configuration"),
        ('{"max_batch_size": ' + "9" * 5_000 + "}", "is no JSON of a configuration"),
    ],
)
def test_other_json_is_refused(text: str, told: str) -> None:
    with pytest.raises(RepositoryError, match=r"^a\.json") as refused:
        parse_served(text, source="a.json")
    assert told in str(refused.value)


def test_64_bits_are_numbers_or_strings() -> None:
    config = ModelConfig()
    config.input.add(name="x", dims=[2**62 + 1])
    text = render_served(config)

    assert str(2**62 + 1) in text
    assert f'"{2**62 + 1}"' not in text
    assert parse_served(text, source="") == config
    assert parse_served(text.replace(str(2**62 + 1), f'"{2**62 + 1}"'), source="") == config


def test_meaning_alone_differs(tmp_path: Path) -> None:
    (tmp_path / "a.pbtxt").write_text("""
# as it was
name: "m" max_batch_size: 0
input { name: "x" data_type: TYPE_FP32 dims: [ -1, 16 ] }
input { name: "y" data_type: TYPE_INT64 dims: 1 }
parameters { key: "b" value { string_value: "1" } }
parameters { key: "a" value { string_value: "2" } }
optimization { }
""")
    (tmp_path / "b.pbtxt").write_text("""
name: "m"
input: [ { name: "y", data_type: TYPE_INT64, dims: [ 1 ] },
  { name: "x", data_type: 11, dims: -1 dims: 16, optional: false } ]
parameters { key: "a" value { string_value: "2" } }
parameters { key: "b" value { string_value: "1" } }
""")
    same = CliRunner().invoke(
        main, ["config", "diff", str(tmp_path / "a.pbtxt"), str(tmp_path / "b.pbtxt")]
    )

    assert (same.exit_code, same.output) == (0, "")


def test_differences_are_told_with_both_values(tmp_path: Path) -> None:
    (tmp_path / "a.pbtxt").write_text("""
max_batch_size: 8
input { name: "x" data_type: TYPE_FP32 dims: [ -1, 16 ] reshape { } }
dynamic_batching { }
parameters { key: "a" value { string_value: "2" } }
""")
    (tmp_path / "b.pbtxt").write_text("""
max_batch_size: 16
input { name: "x" data_type: TYPE_FP16 dims: [ -1, 32 ] }
sequence_batching { direct { minimum_slot_utilization: 0.1 } }
parameters { key: "a" value { string_value: "é" } }
instance_group { }
""")
    told = CliRunner().invoke(
        main, ["config", "diff", str(tmp_path / "a.pbtxt"), str(tmp_path / "b.pbtxt")]
    )

    assert told.exit_code == 1
    assert (
        told.output
        == """\
max_batch_size: 8 -> 16
input[x].data_type: TYPE_FP32 -> TYPE_FP16
input[x].dims: [-1, 16] -> [-1, 32]
input[x].reshape: { } -> (absent)
dynamic_batching: { } -> (absent)
sequence_batching.direct.minimum_slot_utilization: (absent) -> 0.1
instance_group[0]: (absent) -> { }
parameters[a].string_value: "2" -> "é"
"""
    )


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.pbtxt").write_text("max_batch_sise: 8\ndims: 1\n")
    (tmp_path / "b.json").write_bytes(b"\xff")

    for file, told in [
        ("a.pbtxt", f"{tmp_path}/a.pbtxt:2:1: ModelConfig has no field 'dims'"),
        ("b.json", "b.json is not UTF-8 text: byte 0 is none"),
        ("none", "none cannot be read: No such file or directory"),
    ]:
        result = CliRunner().invoke(main, ["config", "convert", str(tmp_path / file)])
        assert result.exit_code == 2
        assert told in result.output
