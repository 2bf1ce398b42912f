"""What `tritonkit.repository` offers, and what it waits to import until that is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tritonkit.repository
from tritonkit.repository.check.check import check

LATER = "check", "complete", "ensemble", "graph"


def test_every_name_is_there():
    offered = tritonkit.repository.__all__
    assert all(getattr(tritonkit.repository, name) is not None for name in offered)
    assert set(offered) <= set(dir(tritonkit.repository))
    assert tritonkit.repository.check_repository is check


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(
        AttributeError, match=r"'tritonkit\.repository' has no attribute 'Ensembel'"
    ):
        _ = tritonkit.repository.Ensembel  # type: ignore[attr-defined]


def test_reading_a_configuration_imports_no_rules():
    code = "import sys, tritonkit.repository as one; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    early = [f"tritonkit.repository.{name}" for name in LATER]
    assert {"tritonkit.repository.write"} <= set(modules.decode().split())
    assert set(modules.decode().split()).isdisjoint(early)
