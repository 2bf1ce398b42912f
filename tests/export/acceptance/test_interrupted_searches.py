"""Ctrl-C while auto searches: what was measured is written, and said to be a part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tritonkit.cli import main
from tritonkit.export import Export, export_model
from tritonkit.export.card.card import CARD_MARKDOWN

SECONDS = 2.0


def interrupt_at(start: str) -> Callable[[str], None]:
    """Tells of progress as a user would see it who then presses Ctrl-C."""

    def progress(line: str) -> None:
        if line.startswith(start):
            raise KeyboardInterrupt

    return progress


def search(
    file: Path,
    repository: Path,
    progress: Callable[[str], None] = lambda _: None,
    *,
    seconds: float = SECONDS,
) -> Export:
    return export_model(
        file, repository, name="m", variants=["auto"], time_budget=seconds, progress=progress
    )


def test_what_was_measured_is_written_with_what_was_not(onnx_file: Path, tmp_path: Path) -> None:
    progress = interrupt_at("w8 block 32: ")
    (card,) = search(onnx_file, tmp_path / "r", progress, seconds=300).cards
    assert [one.recipe for one in card.tried if one.size_bytes is not None][:2] == ["fp32", "int8"]
    absent = [one for one in card.tried if one.size_bytes is None]
    assert "w8 block 32" in {one.recipe for one in absent}
    assert {one.verdict for one in absent} == {"the search was interrupted"}
    text = (tmp_path / "r" / "m" / "1" / CARD_MARKDOWN).read_text()
    assert ": the search was interrupted\n" in text


def test_the_same_command_searches_again_to_the_end(onnx_file: Path, tmp_path: Path) -> None:
    search(onnx_file, tmp_path / "r", interrupt_at("int8: "))
    again = search(onnx_file, tmp_path / "r")
    assert again.written
    assert not any("interrupted" in one.verdict for one in again.cards[0].tried)
    assert not search(onnx_file, tmp_path / "r").written


def test_before_anything_was_measured_nothing_is_written(onnx_file: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        search(onnx_file, tmp_path / "r", interrupt_at("fp32: "))
    assert not (tmp_path / "r").exists()


def test_the_command_prints_what_was_tried_and_what_it_means_elsewhere(
    onnx_file: Path, tmp_path: Path
) -> None:
    arguments = ["export", str(onnx_file), str(tmp_path / "r"), "--name", "m"]
    arguments += ["--precision", "auto", "--time-budget", f"{SECONDS:g}s"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    for words in ("| invariant | front |", "| int8 ", "\nChosen: ", "\nOn another machine: "):
        assert words in result.stdout
    assert "no samples were given: the model is judged by" in result.stderr
    # The same is printed where nothing was done.
    assert CliRunner().invoke(main, arguments).stdout == result.stdout
