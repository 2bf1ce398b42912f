from __future__ import annotations

from pathlib import Path

import pytest
from tests.repository.check.case import PYTHON, write_files

from tritonkit.repository.check.check import check
from tritonkit.repository.check.report.report import Report

CONFIG = """\
backend: "python"
max_batch_size: 8
input { name: "x" data_type: TYPE_FP32 dims: 4 }
output { name: "y" data_type: TYPE_FP32 dims: 4 }
"""
NAMED = 'name: "größe, 100%:"\n'
BATCHING = "dynamic_batching { preferred_batch_size: [ 4, 16 ] }  # 16: too many\n"
REQUEST = """\
backend: "python"
max_batch_size: 8
input [
  { name: "x" data_type: TYPE_FP32 dims: 4 },
  { name: "x" data_type: TYPE_FP32 dims: 4 }
]
output { name: "y" data_type: TYPE_FP32 dims: 4 }
"""
WARNING = f"{CONFIG}version_policy {{ specific {{ versions: [1, 2] }} }}\n"


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """
    From the folder around the repository: a name and a size that are wrong, a request that
    fails, a warning, one that a comment leaves, and a model that is right.
    """
    repository = tmp_path / "a repository"
    repository.mkdir()
    files = {
        "wrong": f"{NAMED}{CONFIG}{BATCHING}",
        "asked": REQUEST,
        "warned": WARNING,
        "left": f"{CONFIG}# tritonkit: ignore TK141\n{WARNING.splitlines()[-1]}\n",
        "right": CONFIG,
    }
    for name, config in files.items():
        write_files(repository, {f"{name}/config.pbtxt": config, f"{name}/1/model.py": PYTHON})
    monkeypatch.chdir(tmp_path)
    return check("a repository")
