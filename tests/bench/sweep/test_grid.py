from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.sweep.grid import make_grid
from tritonkit.bench.sweep.settings import configured
from tritonkit.errors import ConfigError

LOADS = [Closed(1), Closed(8)]


def test_loads_change_fastest_and_the_model_slowest():
    """Each group's settings are loaded once, each model's one after the other."""
    grid = make_grid({"instances": ["1", "2"], "model": ["a", "b"]}, LOADS, batch_sizes=[1, 4])

    assert [dict(group.settings) for group in grid.groups] == [
        {"model": "a", "instances": "1"},
        {"model": "a", "instances": "2"},
        {"model": "b", "instances": "1"},
        {"model": "b", "instances": "2"},
    ]
    assert [(p.concurrency, p.batch_size) for p in grid.groups[0].points] == [
        (1, 1), (8, 1), (1, 4), (8, 4),
    ]  # fmt: skip
    assert (grid.size, grid.reloads) == (16, 5)
    assert grid.seconds(10, rounds=2, reload=2) == 2 * (16 * 10 + 5 * 2)


def test_loads_alone_load_nothing():
    grid = make_grid({}, LOADS)

    assert (grid.size, grid.reloads) == (2, 0)


def test_what_cannot_be_is_skipped_with_its_reason():
    config = {"name": "m", "max_batch_size": 8, "dynamic_batching": {}}
    grid = make_grid(
        {"max_batch_size": ["4", "8"], "preferred_batch_size": ["4", "8"]},
        LOADS,
        check=lambda settings, _: configured(config, settings),
    )

    assert len(grid.groups) == 3
    assert [one.what for one in grid.skipped] == [
        "max_batch_size 4, preferred_batch_size 8, batch size 1"
    ]
    assert "is above max_batch_size 4" in grid.skipped[0].reason


def test_equal_settings_are_measured_once():
    """Windows mean nothing without the batcher; two ways to write a value are one."""
    grid = make_grid(
        {"dynamic_batching": ["off", "on"], "max_queue_delay": ["0", "0ms", "1ms"]}, LOADS
    )

    assert [str(group) for group in grid.groups] == [
        "dynamic_batching off",
        "dynamic_batching on, max_queue_delay 0us",
        "dynamic_batching on, max_queue_delay 1ms",
    ]


def test_refuses_a_grid_of_nothing_or_of_too_much():
    def never(settings, batch_size):
        raise ConfigError("never")

    with pytest.raises(ConfigError, match="none of these points can be measured: never"):
        make_grid({}, LOADS, check=never)
    with pytest.raises(ConfigError, match=r"4 points, more than 3: .* --max-points 4"):
        make_grid({"instances": ["1", "2"]}, LOADS, max_points=3)
    with pytest.raises(ConfigError, match="no setting 'instance'"):
        make_grid({"instance": ["1"]}, LOADS)


@given(
    st.dictionaries(
        st.sampled_from(["instances", "threads", "max_batch_size"]),
        st.lists(st.integers(1, 5).map(str), min_size=1, max_size=4),
        max_size=3,
    ),
    st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True),
)
def test_every_combination_is_there_once(settings, batch_sizes):
    """As many points as the product of distinct values, and none twice."""
    grid = make_grid(settings, LOADS, batch_sizes=batch_sizes)
    expected = len(LOADS) * len(batch_sizes)
    for values in settings.values():
        expected *= len(set(values))

    assert grid.size == expected
    assert len({str(point.describe()) for point in grid.points}) == expected
