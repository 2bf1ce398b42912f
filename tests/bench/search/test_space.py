from __future__ import annotations

import pytest

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Point
from tritonkit.bench.search.batcher import Batching
from tritonkit.bench.search.space import default_space, works_of
from tritonkit.errors import ConfigError

BATCHING = {"name": "m", "max_batch_size": 8, "dynamic_batching": {}}


@pytest.mark.parametrize(
    ("config", "cores", "names", "instances"),
    [
        (BATCHING, 4, {"max_queue_delay", "instances"}, ("1", "2", "4")),
        ({"max_batch_size": 0}, 1, {"instances"}, ("1",)),
        ({**BATCHING, "instance_group": [{"count": 3}]}, 2, None, ("1", "2", "3")),
        ({**BATCHING, "instance_group": [{"kind": "KIND_GPU"}]}, 64, None, ("1", "2")),
    ],
)
def test_what_suits_a_configuration_is_tried(
    config: dict[str, object], cores: int, names: set[str] | None, instances: tuple[str, ...]
) -> None:
    space = default_space(config, cores)
    assert names is None or names == set(space)
    assert instances == space["instances"]


def test_a_model_without_anything_to_tune_is_refused() -> None:
    with pytest.raises(ConfigError, match="no setting"):
        default_space({"name": "m", "sequence_batching": {}})


def test_points_mean_something_to_the_batcher() -> None:
    point = Point(load=Closed(3), settings={"max_queue_delay": "2ms", "instances": "2"})
    (work,) = works_of([point], lambda _: BATCHING)
    assert Batching(max_batch=8, delay=2e-3, instances=2) == work.batching
    assert work.concurrency == 3
