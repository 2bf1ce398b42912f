from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.search.edit import edited, fields_of
from tritonkit.errors import ConfigError
from tritonkit.repository.config import ModelConfig
from tritonkit.repository.text.read import parse_config

CONFIG = """\
# Of the team.
backend: 'python'; max_batch_size: 8  # rows
instance_group [ { count: 1 kind: KIND_CPU } ]
input { name: "x # y" "}" data_type: TYPE_FP32 dims: [ 4 ] }
instance_group <
  # one more, for \u00e4ll
  count: 2
>

# Callers wait.
dynamic_batching: { }
name: "m\u00fcller"  # at the end
"""


def test_only_what_changed_is_written_anew() -> None:
    config = parse_config(CONFIG, source="")
    wanted = parse_config(CONFIG, source="")
    del wanted.instance_group[1:]
    wanted.instance_group[0].count = 3
    wanted.dynamic_batching.max_queue_delay_microseconds = 500
    wanted.max_batch_size = 0
    wanted.version_policy.latest.num_versions = 1
    text, lost = edited(CONFIG, config, wanted)
    assert lost == ("one more, for \u00e4ll",)
    assert (
        text
        == """\
# Of the team.
backend: 'python'; max_batch_size: 0  # rows
instance_group {
  count: 3
  kind: KIND_CPU
}
input { name: "x # y" "}" data_type: TYPE_FP32 dims: [ 4 ] }

# Callers wait.
dynamic_batching {
  max_queue_delay_microseconds: 500
}
name: "m\u00fcller"  # at the end
version_policy {
  latest {
    num_versions: 1
  }
}
"""
    )


def test_nothing_changed_is_the_same_text() -> None:
    config = parse_config(CONFIG, source="")
    assert edited(CONFIG, config, config) == (CONFIG, ())


def test_a_field_that_goes_takes_its_line_along() -> None:
    text = 'name: "a"\ndynamic_batching { }\nmax_batch_size: 8\n'
    wanted = parse_config(text, source="")
    wanted.ClearField("dynamic_batching")
    without, _ = edited(text, parse_config(text, source=""), wanted)
    assert without == 'name: "a"\nmax_batch_size: 8\n'


def test_an_empty_file_gets_its_first_field() -> None:
    wanted = ModelConfig(max_batch_size=4)
    assert edited("", ModelConfig(), wanted) == ("max_batch_size: 4\n", ())


@pytest.mark.parametrize("text", ["input {", "5: 3", "name", "name: ]"])
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="configuration"):
        fields_of(text)


@given(st.text(max_size=40))
def test_any_text_ends(text: str) -> None:
    """With fields one after the other, or a ConfigError."""
    try:
        fields = fields_of(text)
    except ConfigError:
        return
    places = [place for field in fields for place in (field.start, field.end)]
    assert places == sorted(places)
