from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.sweep.settings import canonical, configured
from tritonkit.errors import ConfigError

CONFIG: dict[str, Any] = {
    "name": "scores",
    "backend": "onnxruntime",
    "max_batch_size": 8,
    "dynamic_batching": {"preferred_batch_size": [8], "max_queue_delay_microseconds": 0},
    "instance_group": [{"name": "scores", "kind": "KIND_GPU", "count": 1, "gpus": [0, 1]}],
    "parameters": {"execution_mode": {"string_value": "0"}},
}


def test_each_setting_changes_its_field_and_no_other():
    """The rest of the configuration, and the given one, stay as they are."""
    before = deepcopy(CONFIG)
    changed = configured(
        CONFIG,
        {
            "max_queue_delay": "1.5ms",
            "preferred_batch_size": "8+4",
            "instances": "3",
            "threads": "2",
            "set:parameters.session.intra_op.allow_spinning": "0",
            "set:optimization.graph.level": "1",
            "model": "other",
        },
    )

    assert before == CONFIG
    assert changed == {
        **CONFIG,
        "dynamic_batching": {"preferred_batch_size": [4, 8], "max_queue_delay_microseconds": 1500},
        "instance_group": [{"name": "scores", "kind": "KIND_GPU", "count": 3, "gpus": [0, 1]}],
        "parameters": {
            "execution_mode": {"string_value": "0"},
            "intra_op_thread_count": {"string_value": "2"},
            "session.intra_op.allow_spinning": {"string_value": "0"},
        },
        "optimization": {"graph": {"level": 1}},
    }


def test_the_preferred_size_that_the_server_completed_follows_the_maximum():
    """A model's own preferred sizes do not: they are the user's."""
    assert configured(CONFIG, {"max_batch_size": "4"})["dynamic_batching"] == {
        "preferred_batch_size": [4],
        "max_queue_delay_microseconds": 0,
    }
    own = {**CONFIG, "dynamic_batching": {"preferred_batch_size": [2, 8]}}
    with pytest.raises(ConfigError, match=r"own preferred_batch_size 2\+8 is above .* 4"):
        configured(own, {"max_batch_size": "4"})
    assert configured(own, {"max_batch_size": "4", "preferred_batch_size": "2"})


def test_batching_goes_off_and_comes_on():
    """A window alone switches it on: a model without the dynamic batcher gets one."""
    off = configured(CONFIG, {"dynamic_batching": "off"})
    assert "dynamic_batching" not in off
    assert configured(off, {"dynamic_batching": "on"})["dynamic_batching"] == {}
    assert configured(off, {"max_queue_delay": "0"})["dynamic_batching"] == {
        "max_queue_delay_microseconds": 0
    }


@pytest.mark.parametrize(
    ("settings", "config", "message"),
    [
        ({"preferred_batch_size": "4+16"}, {}, "4.16 is above max_batch_size 8; it must be at"),
        ({"dynamic_batching": "off", "max_queue_delay": "1ms"}, {}, "no meaning with dynamic_b"),
        ({"max_queue_delay": "1ms"}, {"max_batch_size": 0}, "'scores': its max_batch_size is 0"),
        ({"max_queue_delay": "1ms"}, {"sequence_batching": {}}, "set:sequence_batching.PATH"),
        ({"max_queue_delay": "1"}, {}, "needs a unit"),
        ({"max_queue_delay": "1ns"}, {}, "whole microseconds, but got '1ns'"),
        ({"max_batch_size": "0"}, {}, "from 1 on .0 would change the shape"),
        ({"instances": "0"}, {}, "instances must be a whole number from 1 on"),
        ({"instances": "2"}, {"instance_group": [{}, {}]}, "set:instance_group.0.count"),
        ({"threads": "2"}, {"backend": "python"}, "backend 'python'.*set:parameters.NAME"),
        ({"preferred_batch_size": "4,8"}, {}, "joined by"),
        ({"dynamic_batching": "yes"}, {}, "on or off, but got 'yes'"),
        ({"windows": "1ms"}, {}, "no setting 'windows'; there are dynamic_batching"),
        ({"set:optimization.grap.level": "1"}, {}, "no field named"),
        ({"set:instance_group.1.count": "1"}, {}, "'1' is no index of a list of 1"),
        ({"set:max_batch_size.x": "1"}, {}, "is 8, which has no fields"),
        ({"set:backend": "x"}, {}, "a sweep does not change it"),
        ({"set:parameters": "x"}, {}, "names no parameter"),
        ({"set:a..b": "x"}, {}, "names no field"),
        ({"instances": "2"}, {"platform": "ensemble"}, "is an ensemble"),
    ],
)
def test_refuses_what_cannot_be(settings, config, message):
    """The message has the value, and what would be right."""
    with pytest.raises(ConfigError, match=message):
        configured({**CONFIG, **config}, settings)


def test_a_field_of_a_newer_server_is_no_reason_to_refuse():
    """What this version of the proto does not know was there before the setting."""
    newer = {**CONFIG, "of_tomorrow": 1}

    assert configured(newer, {"instances": "2"})["of_tomorrow"] == 1


@given(st.integers(min_value=0, max_value=10**10))
def test_a_delay_has_one_text_and_loses_nothing(delay_us):
    """Equal delays share a text, which reads back as the same delay."""
    text = canonical("max_queue_delay", f"{delay_us}us")

    assert canonical("max_queue_delay", text) == text
    batching = configured(CONFIG, {"max_queue_delay": text})["dynamic_batching"]
    assert batching["max_queue_delay_microseconds"] == delay_us


def test_texts_of_equal_values():
    assert [canonical("max_queue_delay", text) for text in ("0", "0ms", "0.5ms", "2000us")] == [
        "0us",
        "0us",
        "500us",
        "2ms",
    ]
    assert canonical("preferred_batch_size", "8 + 4+4") == "4+8"
    assert canonical("instances", "02") == "2"
