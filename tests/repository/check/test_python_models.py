"""What a Python model may add to its configuration, told by its code."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.repository.check.case import PYTHON, write_files

from tritonkit.repository.check.check import check
from tritonkit.repository.check.target import Target

COMPLETES = (
    f"{PYTHON}    @staticmethod\n    def auto_complete_config(config):\n        return config\n"
)
INHERITS = "import base\n\n\nclass TritonPythonModel(base.Model):\n    pass\n"
ENSEMBLE = """\
platform: "ensemble"
input { name: "a" data_type: TYPE_FP32 dims: 4 }
output { name: "b" data_type: TYPE_FP32 dims: 4 }
ensemble_scheduling { step {
  model_name: "m" model_version: -1
  input_map { key: "x" value: "a" }
  output_map { key: "y" value: "b" }
} }
"""
OTHER = """\
input { name: "other" data_type: TYPE_FP32 dims: 4 }
output { name: "another" data_type: TYPE_FP32 dims: 4 }
"""


def _ids(repository: Path, code: str, config: str | None, target: Target) -> list[str]:
    write_files(repository, {"e/config.pbtxt": ENSEMBLE, "e/1/": "", "m/1/model.py": code})
    if config is not None:
        (repository / "m" / "config.pbtxt").write_text(config)
    return [one.rule.id for one in check(repository, target=target).findings]


@pytest.mark.parametrize("config", [None, OTHER])
@pytest.mark.parametrize("code", [COMPLETES, INHERITS])
def test_what_a_model_may_add_is_not_missed(tmp_path: Path, code: str, config: str | None):
    assert not {"TK118", "TK119"} & {*_ids(tmp_path, code, config, Target())}


@pytest.mark.parametrize("config", [None, OTHER])
@pytest.mark.parametrize(
    ("code", "target"), [(PYTHON, Target()), (COMPLETES, Target(autocomplete=False))]
)
def test_what_it_surely_lacks_is(tmp_path: Path, code: str, config: str | None, target: Target):
    assert {"TK118", "TK119"} <= {*_ids(tmp_path, code, config, target)}
