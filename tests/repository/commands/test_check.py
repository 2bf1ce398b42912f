"""`tritonkit check`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.repository.check.case import PYTHON, write_files

from tritonkit.cli import main

TENSORS = """
input { name: "x" data_type: TYPE_FP32 dims: 4 }
output { name: "y" data_type: TYPE_FP32 dims: 4 }
"""
CONFIG = f'backend: "python"\nmax_batch_size: 8\n{TENSORS}'
WARNED = f"{CONFIG}version_policy {{ specific {{ versions: [1, 2] }} }}\n"
WRONG = f"{CONFIG}dynamic_batching {{ preferred_batch_size: [ 4, 16 ] }}  # both\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    repository = tmp_path / "model_repository"
    repository.mkdir()
    return repository


def _write(repository: Path, **configs: str) -> None:
    for name, config in configs.items():
        write_files(repository, {f"{name}/config.pbtxt": config, f"{name}/1/model.py": PYTHON})


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["check", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("config", "arguments", "code"),
    [
        (CONFIG, [], 0),
        (WARNED, [], 0),
        (WARNED, ["--strict"], 1),
        (WARNED, ["--strict", "--ignore", "TK141"], 0),
        (WRONG, [], 1),
        (WRONG, ["--select", "TK141,TK001"], 0),
    ],
)
def test_the_exit_code_tells_what_was_found(
    here: Path, config: str, arguments: list[str], code: int
):
    """Of model_repository in the current folder, where no path is given."""
    _write(here, m=config)

    assert _run(*arguments)[0] == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "Error: nowhere does not exist; name a repository, a model or its"),
        ([], "Error: model_repository holds no model: no folder of it holds a config.pbtxt"),
        (["--triton-version", "24.13"], "such as 24.10"),
        (["--ignore", "TK999"], "there is no rule 'TK999'"),
        (["--explain", "TK999"], "there is no rule 'TK999'"),
    ],
)
def test_what_cannot_be_checked_is_one_line_and_2(here: Path, arguments: list[str], message: str):
    code, output = _run(*arguments)

    assert code == 2
    assert message in output
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize("format_", ["text", "json", "sarif", "github"])
def test_each_format_names_the_finding(here: Path, format_: str):
    _write(here, m=WRONG)

    code, output = _run("model_repository", "--format", format_)

    assert code == 1
    assert "TK066" in output
    if format_ in ("json", "sarif"):
        json.loads(output)


def test_diff_shows_and_fix_mends(here: Path):
    """What stands around the repair stays as it is."""
    _write(here, m=WRONG)
    config = here / "m" / "config.pbtxt"

    code, output = _run("--diff")
    assert code == 1
    assert "-dynamic_batching { preferred_batch_size: [ 4, 16 ] }  # both\n" in output
    assert config.read_text() == WRONG

    code, output = _run("--fix")
    assert code == 0
    assert "Fixed model_repository/m/config.pbtxt" in output
    assert config.read_text() == WRONG.replace("[ 4, 16 ]", "[ 4 ]")


def test_what_is_known_of_the_server_is_told_to_the_rules(here: Path):
    _write(here, m=CONFIG)

    assert "The server has no backend 'python'" in _run("--backend", "onnxruntime")[1]
    assert _run("--backend", "python", "--backend", "onnxruntime")[0] == 0


def test_explain_says_what_the_page_says(here: Path):
    code, output = _run("--explain", "preferred-size-above-maximum")

    assert code == 0
    assert output.startswith("TK066 preferred-size-above-maximum: ")
    assert output.endswith("docs/rules/batching.md#tk066\n")
