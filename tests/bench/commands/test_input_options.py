from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from tritonkit.bench.commands.input_options import input_options
from tritonkit.bench.inputs.choice import InputChoice
from tritonkit.bench.inputs.dims import Spread
from tritonkit.bench.inputs.files import Source
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.bench.inputs.popularity import HotSet, Zipf
from tritonkit.errors import ConfigError


def choice(*arguments: str) -> InputChoice:
    """What a command gets, beside options of its own."""
    found: list[InputChoice] = []

    @click.command()
    @click.option("--url", default="http://localhost:8000")
    @input_options
    def command(url: str, inputs: InputChoice) -> None:
        found.append(inputs)

    CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    return found[0]


def test_nothing_said_is_nothing_chosen() -> None:
    assert choice() == InputChoice()


def test_every_option_arrives(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=np.ones((2, 1)))
    found = choice(
        *("--input-data", f"x={path}", "--input-data", "zero", "--shape", "ids:8..16"),
        *("--input", "n=[1]", "--text", "a", "--text", "b", "--distinct", "9"),
        *("--popularity", "hot:0.9/0.1", "--expect", str(path)),
        *("--rtol", "0.1", "--rtol", "y=0.2", "--atol", "z=b=0"),
    )
    inputs = found.inputs
    assert inputs.sources == (Source(path=path, name="x"),)
    assert inputs.zero
    assert inputs.shapes == {"ids": (Spread(8, 16),)}
    assert inputs.values == {"n": [1]}
    assert inputs.texts == ("a", "b")
    assert inputs.expected == path
    assert inputs.tolerances.rtol == {"": 0.1, "y": 0.2}
    assert inputs.tolerances.atol == {"z=b": 0}
    assert inputs.checked
    assert (found.distinct, found.popularity) == (9, HotSet(0.9, 0.1))
    assert choice("--integers", "ids:0..9").inputs.integers == {"ids": (0, 9)}
    assert choice("--identical").distinct == 1
    assert not choice("--no-check").inputs.checked
    assert choice("--input-data", "random") == InputChoice()


def test_a_model_of_the_mix_has_its_own() -> None:
    found = choice(
        *("--mix", "embed=3,rerank=1", "--popularity", "zipf:1"),
        *("--shape", "rerank::ids:64", "--shape", "ids:8", "--text", "embed::hello"),
        # No model of the mix: a part of the text.
        *("--text", "other::hello"),
    )
    assert found.shares == {"embed": 3, "rerank": 1}
    assert found.popularity == Zipf(1)
    assert found.inputs == ModelInputs(shapes={"ids": (8,)}, texts=("other::hello",))
    assert found.by_model == {
        "embed": ModelInputs(texts=("hello",)),
        "rerank": ModelInputs(shapes={"ids": (64,)}),
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--identical --distinct 2", "--identical is --distinct 1, but got --distinct 2"),
        ("--identical --popularity zipf:1", "--identical sends one request"),
        ("--input-data random --input-data zero", "random and .* zero exclude each other"),
        ("--input-data zero --integers x:0..5", "zero leaves nothing for --integers"),
        ("--input-data nowhere.npy", "there is no 'nowhere.npy'"),
        ("--mix a=1,b=1 --input-data a::zero", "zero is for all models of a mix, .* for 'a'"),
        ("--mix a", "a mix is MODEL=SHARE"),
        ("--popularity often", "popularity is in-turn, uniform"),
        ("--shape x", "NAME:DIMS"),
        ("--shape x:1 --shape x:2", "--shape is given twice for input 'x'"),
        ("--input x=1 --input x=2", "--input is given twice for input 'x'"),
        ("--input x", "NAME=VALUE"),
        ("--integers x:5", "NAME:0..30522"),
        ("--image-scaling unit", "is given, but no picture"),
        ("--rtol a", "--rtol is a number or OUTPUT=NUMBER, but got 'a'"),
        ("--atol y=-1", "--atol must be finite and not negative, but got 'y=-1'"),
        ("--atol nan", "--atol must be finite"),
        ("--rtol 1 --rtol 2", "--rtol is given twice for all outputs"),
        ("--no-check --rtol 1", "--no-check leaves answers alone"),
    ],
)
def test_conflicts_and_mistakes_are_one_clear_message(arguments: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choice(*arguments.split())


def test_expected_outputs_without_a_file_of_inputs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "y.npz"
    path.touch()
    with pytest.raises(ConfigError, match="--expect goes with --input-data FILE"):
        choice("--expect", str(path))
