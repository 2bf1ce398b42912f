from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from tritonkit.cli import main
from tritonkit.export import Export
from tritonkit.export.card.markdown import summary_table


def test_what_is_up_to_date_is_shown_and_not_written(
    minilm: Path, repository: Path, exported: Export, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(repository, tmp_path / "copy"))
    result = CliRunner().invoke(
        main, ["export", str(minilm), str(copy), "--name", "minilm", "--variants", "fp32,int8"]
    )
    assert result.exit_code == 0
    assert result.stdout == summary_table(exported.cards) + "\n"
    assert "up to date, nothing was written" in result.stderr
    assert str(copy / "minilm_int8" / "1" / "card.md") in result.stderr


def test_the_command_of_the_card_does_the_same(
    repository: Path, exported: Export, tmp_path: Path
) -> None:
    """What it names is up to date."""
    (words,) = {tuple(card.command.split()) for card in exported.cards}
    result = CliRunner().invoke(main, list(words[1:]))
    assert result.exit_code == 0
    assert "up to date" in result.stderr


def test_a_source_that_is_refused_exits_2(folder: Callable[..., Path], tmp_path: Path) -> None:
    made = folder(modules=["Transformer", "Pooling", "Dense"])
    result = CliRunner().invoke(main, ["export", str(made), str(tmp_path / "r")])
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert "found Dense" in result.stderr


def test_a_missing_source_exits_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["export", str(tmp_path / "absent")])
    assert result.exit_code == 2
    assert "absent does not exist" in result.stderr


def test_a_name_that_no_model_can_have_exits_2(minilm: Path, tmp_path: Path) -> None:
    arguments = ["export", str(minilm), str(tmp_path / "r"), "--name", "no spaces"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "'no spaces'" in result.stderr


def test_a_folder_whose_name_no_model_can_have_needs_a_name(
    folder: Callable[..., Path], tmp_path: Path
) -> None:
    made = folder().rename(tmp_path / "my model")
    result = CliRunner().invoke(main, ["export", str(made), str(tmp_path / "r")])
    assert result.exit_code == 2
    assert "'my model'" in result.stderr
    assert "--name" in result.stderr
