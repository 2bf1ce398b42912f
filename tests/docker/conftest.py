"""What docker/ holds, and the programs of Prometheus."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def docker() -> Path:
    """The folder."""
    return ROOT / "docker"


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Where a program of Prometheus is; `make test` gets it."""

    def find(name: str) -> str:
        found = load(ROOT / "tests" / "debian.py").find(name)
        assert found is not None, f"{name} is missing: python tests/debian.py"
        return str(found)

    return find


@pytest.fixture(scope="session")
def alerts(docker: Path) -> dict[str, dict[str, Any]]:
    """The alerting rules by name."""
    groups = yaml.safe_load((docker / "prometheus" / "rules" / "alerts.yaml").read_text())
    return {rule["alert"]: rule for group in groups["groups"] for rule in group["rules"]}


@pytest.fixture(scope="session")
def load_from() -> Callable[[Path], ModuleType]:
    """A module that is in no package."""
    return load
