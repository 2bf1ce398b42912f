from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonkit.errors import ConfigError
from tritonkit.export.serving import ServingOptions, fitted, overcommitment


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_batch_size": 0}, "max_batch_size must be 1 or more, but got 0"),
        ({"threads": -1}, "threads must be 0 or more, but got -1"),
        ({"instances": 0}, "instances must be 1 or more, but got 0"),
        ({"target": "tpu"}, "target must be 'cpu' or 'gpu', but got 'tpu'"),
        ({"max_queue_delay": -0.1}, "between 0 and 10 seconds, but got -0.1"),
        ({"max_queue_delay": 100.0}, "between 0 and 10 seconds, but got 100.0"),
        ({"max_queue_delay": float("nan")}, "between 0 and 10 seconds, but got nan"),
        ({"target": "gpu", "threads": 2}, "with target 'gpu' leave them out, but got 2"),
        *(
            ({"version_policy": policy}, f"'latest:N' .*or 'all', but got '{policy}'")
            for policy in ("", "newest", "latest:", "latest:0", "latest:-1", "latest:²", "all:2")
        ),
    ],
)
def test_what_triton_or_sense_refuses_is_refused_in_words(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ServingOptions(**options)


@pytest.mark.parametrize(
    ("policy", "newest"), [("latest", 1), ("latest:1", 1), ("latest:12", 12), ("all", 0)]
)
def test_a_policy_says_how_many_versions_are_loaded(policy: str, newest: int) -> None:
    assert ServingOptions(version_policy=policy).newest_versions == newest


@given(st.integers(1, 64), st.integers(0, 64), st.integers(1, 256))
def test_instances_share_the_cores(instances: int, threads: int, cores: int) -> None:
    """What is given stays; what is not fits, unless there are more instances than cores."""
    options = fitted(ServingOptions(instances=instances, threads=threads), cores=cores)
    if threads or instances == 1:
        assert options.threads == threads
    else:
        assert options.threads == max(1, cores // instances)
        assert bool(overcommitment(options, cores=cores)) == (instances > cores)


def test_too_many_threads_are_told_not_refused() -> None:
    options = ServingOptions(instances=3, threads=4)
    assert "3 instances of 4 threads want 12 cores and this machine has 8" in overcommitment(
        options, cores=8
    )
    assert overcommitment(options, cores=12) == ""
    alone = overcommitment(ServingOptions(threads=8), cores=2)
    assert alone.startswith("8 threads want 8 cores and this machine has 2;")
    single = overcommitment(ServingOptions(instances=4, threads=1), cores=2)
    assert single.startswith("4 instances of 1 thread want 4 cores")
    assert overcommitment(ServingOptions(), cores=1) == ""


def test_instances_on_a_gpu_have_no_threads() -> None:
    options = ServingOptions(instances=2, target="gpu")
    assert fitted(options, cores=8) == options
