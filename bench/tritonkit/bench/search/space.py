"""What a search chooses from where nothing is said, and what it means to the batcher."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tritonkit.bench.measurement import Point
from tritonkit.bench.search.prior import work_of
from tritonkit.bench.search.service_model import Work
from tritonkit.bench.sweep.settings import MODEL, configured
from tritonkit.errors import ConfigError

__all__ = ["DEFAULT_CONCURRENCY", "DEFAULT_DELAYS", "default_space", "works_of"]

DEFAULT_DELAYS = ("0us", "500us", "1ms", "2ms", "5ms")
"""Windows from none to about what a model of a few milliseconds computes in."""

DEFAULT_CONCURRENCY = (1, 2, 4, 8, 16, 32, 64, 128)


def default_space(
    config: Mapping[str, Any], cores: int | None = None
) -> dict[str, tuple[str, ...]]:
    """
    What is worth trying for a model, by its configuration.

    Windows where it batches dynamically or could, and one, two and four instances as
    far as there are cores. A model on GPUs has its instances there: one and two.

    Args:
        config: As the server completed it, of a model that is no ensemble.
        cores: Of the server's machine; this one's if not given.
    """
    space: dict[str, tuple[str, ...]] = {}
    if config.get("max_batch_size", 0) > 1 and "sequence_batching" not in config:
        space["max_queue_delay"] = DEFAULT_DELAYS
    groups = config.get("instance_group") or [{}]
    if len(groups) == 1 and "sequence_batching" not in config:
        on_gpu = groups[0].get("kind") == "KIND_GPU"
        most = 2 if on_gpu else max(os.cpu_count() or 1 if cores is None else cores, 1)
        own = int(groups[0].get("count", 1) or 1)
        counts = sorted({own, *(count for count in (1, 2, 4) if count <= most)})
        space["instances"] = tuple(map(str, counts))
    if not space:
        raise ConfigError(
            f"model {config.get('name', '')!r} has no setting that is usually tuned; name some, "
            "such as --instances 1,2."
        )
    return space


def works_of(points: Sequence[Point], config_of: Callable[[str], Mapping[str, Any]]) -> list[Work]:
    """
    What each point means to the batcher.

    Args:
        points: Their settings are possible.
        config_of: The configuration that settings change, by the model that a point
            names; empty where it names none.
    """
    works = []
    for point in points:
        settings = {name: text for name, text in point.settings.items() if name != MODEL}
        config = configured(config_of(point.settings.get(MODEL, "")), settings)
        works.append(work_of(point, config))
    return works
