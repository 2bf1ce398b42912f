"""The guide to ensembles, held to what its commands and its Python do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.repository.check.case import PYTHON

from tritonkit.cli import main
from tritonkit.repository import (
    Model,
    ModelConfig,
    Tensor,
    add_tensors,
    read_config,
    write_models,
)

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "build-an-ensemble.md"


def _model(name: str, inputs: list[Tensor], outputs: list[Tensor]) -> Model:
    config = ModelConfig(name=name, backend="python", max_batch_size=32)
    add_tensors(config.input, inputs)
    add_tensors(config.output, outputs)
    return Model(config, {1: {"model.py": PYTHON.encode()}})


def _int64(*names: str) -> list[Tensor]:
    return [Tensor(name, "TYPE_INT64", (-1,)) for name in names]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the repository that the guide speaks of."""
    text, embedding = Tensor("text", "TYPE_STRING", (1,)), Tensor("embedding", "TYPE_FP32", (384,))
    tokenizer = _model("tokenizer", [text], _int64("ids", "mask"))
    encoder = _model("encoder", _int64("input_ids", "attention_mask"), [embedding])
    write_models(tmp_path / "model_repository", [tokenizer, encoder])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_guide_is_right(place: Path):
    """Its command and its Python write the same; pictures and errors are those printed."""
    guide = GUIDE.read_text(encoding="utf-8")
    error, picture = re.findall(r"```text\n(.*?)```", guide, re.DOTALL)
    (mermaid,) = re.findall(r"```mermaid\n(.*?)```", guide, re.DOTALL)
    (example,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    build, look = re.findall(r"```bash\ntritonkit (.*?)\n```", guide)
    run = CliRunner().invoke

    assert run(main, build.split()).exit_code == 0
    by_command = read_config(place / "model_repository" / "embed")
    assert run(main, look.split()).output == picture
    assert run(main, [*look.split(), "--format", "mermaid"]).output == mermaid
    broken = run(main, ["ensemble", "broken", "tokeniser", "encoder:input_id=ids"])
    assert broken.output == error

    shutil.rmtree(place / "model_repository" / "embed")
    exec(compile(example, str(GUIDE), "exec"), {})
    assert read_config(place / "model_repository" / "embed") == by_command
