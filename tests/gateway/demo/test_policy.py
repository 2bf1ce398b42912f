"""The policy of the demo is one, in the order that is recommended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tritonkit.client.drift.profile import Profile
from tritonkit.gateway.config.reading import read_config
from tritonkit.gateway.demo.policy import policy


@pytest.mark.parametrize("redis", [None, "unix:///tmp/a b/redis.sock"])
@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("servers", [1, 2])
def test_it_is_one(redis: str | None, watched: bool, servers: int, tmp_path: Path) -> None:
    """Nothing is wrong with it and nothing misplaced, with and without what may be missing."""
    folder = tmp_path / 'of "whom" 😀'
    folder.mkdir()
    corpus = folder / "questions.txt"
    corpus.write_text("a question")
    profile = folder / "minilm.drift"
    if watched:
        rows = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
        Profile.of("minilm", {"x": rows}).save(profile)
    text = policy(
        [f"http://127.0.0.1:{8000 + number}" for number in range(servers)],
        redis=redis,
        folder=folder,
        profile=profile if watched else None,
        corpus=corpus,
    )
    read, config = read_config(text)

    assert not read.warnings
    assert ("Drift" in repr(read.build()[1])) == watched
    assert (redis is not None) == ("Redis" in repr(read.build()[1]))
    assert [model.name for model in config.api.models] == ["minilm", "minilm_int8"]
    assert config.live.traffic
