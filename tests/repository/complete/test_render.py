from __future__ import annotations

from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from tritonkit.repository.complete.render import render_noted
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.read import parse_config

EVERYTHING = """
name: "m" max_batch_size: 8 backend: "python"
input { name: "x" data_type: TYPE_FP32 dims: [-1, 3] reshape { shape: [3] } }
input { name: "y" data_type: TYPE_STRING dims: [1] optional: true }
output { name: "z" data_type: TYPE_BOOL dims: [1] reshape { } }
instance_group { count: 2 kind: KIND_GPU gpus: [0, 1] }
dynamic_batching { priority_levels: 2 default_priority_level: 1
    priority_queue_policy { key: 1 value { max_queue_size: 5 } }
    priority_queue_policy { key: 2 value { timeout_action: DELAY } } }
parameters { key: "b" value { string_value: "2" } }
parameters { key: "a" value { string_value: "1" } }
cc_model_filenames { key: "7.5" value: "other.plan" }
metric_tags { key: "t" value: "v" }
"""


def test_a_config_comes_back_with_notes_at_every_kind_of_field() -> None:
    config = parse_config(EVERYTHING, source="test")
    text = render_noted(
        config,
        above={("input",): "All of\nthem.", ("input", 1): "This.", ("dynamic_batching",): "How."},
        beside={("input", 0, "dims"): "rows", ("parameters", "a"): "read", ("gone",): "no"},
    )
    assert parse_config(text, source="test") == config
    assert "# All of\n# them.\ninput {\n" in text
    assert "# This.\ninput {\n" in text
    assert "  dims: [-1, 3]  # rows\n" in text
    assert "# How.\ndynamic_batching {\n" in text
    assert 'parameters {  # read\n  key: "a"\n' in text
    assert "  reshape { }\n" in text
    assert text.startswith('name: "m"\nbackend: "python"\nmax_batch_size: 8\n')


@seed(9)
@settings(max_examples=50, deadline=None)
@given(name=st.text(), value=st.text(), note=st.text())
@example(name="\x85\u2028", value="\r\n", note="a\u2028b\rc\x00")
def test_any_text_survives(name: str, value: str, note: str) -> None:
    config = ModelConfig(name=name)
    config.parameters[name].string_value = value
    config.input.add(name=value)
    notes = {("name",): note, ("input",): note, ("parameters",): note, ("parameters", name): note}
    text = render_noted(config, above=notes, beside=notes)
    assert parse_config(text, source="test") == config
