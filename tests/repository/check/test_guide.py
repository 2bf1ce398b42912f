"""The guide says what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.repository.check.case import PYTHON, write_files

from tritonkit.cli import main

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "check-a-repository.md").read_text()
CONFIG = """\
backend: "python"
max_batch_size: 8
input { name: "x" data_type: TYPE_FP32 dims: 4 }
output { name: "y" data_type: TYPE_FP32 dims: 4 }
dynamic_batching { preferred_batch_size: [4, 16] }
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    repository = tmp_path / "model_repository"
    write_files(repository, {"lab/config.pbtxt": CONFIG, "lab/1/model.py": PYTHON})
    monkeypatch.chdir(tmp_path)
    return repository


def test_its_output_is_the_commands(repository: Path):
    (shown,) = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)

    assert CliRunner().invoke(main, ["check", "model_repository"]).output == shown


def test_its_comment_leaves_what_it_says(repository: Path):
    (shown,) = re.findall(r"```protobuf\n(.*?)```", GUIDE, re.DOTALL)
    config = repository / "lab" / "config.pbtxt"
    config.write_text(CONFIG.replace("max_batch_size: 8\n", "max_batch_size: 1\n") + shown)
    config.write_text(config.read_text().replace(CONFIG.splitlines()[-1] + "\n", ""))

    output = CliRunner().invoke(main, ["check"]).output

    assert output == "1 model: nothing is wrong (1 ignored by comments).\n"


def test_its_snippet_runs(repository: Path, capsys: pytest.CaptureFixture[str]):
    (snippet,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)

    with pytest.raises(AssertionError):
        exec(snippet, {})

    assert capsys.readouterr().out == "TK066 lab 5 A preferred batch size is 16, and " + (
        "max_batch_size is 8.\n"
    )
