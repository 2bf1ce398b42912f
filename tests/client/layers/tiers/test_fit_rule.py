"""A rule learned on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tritonkit.cli import main
from tritonkit.client import InferRequest, LearnedRule
from tritonkit.client.layers.tiers.held_out import held_out


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, ["fit-rule", *map(str, arguments)])


def labelled(path: Path, count: int) -> Path:
    """Dear from eleven words on."""
    random = np.random.default_rng(1)
    rows = [
        {"text": " ".join(["w"] * words), "dear": bool(words > 10)}
        for words in random.integers(1, 21, count).tolist()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_labels(tmp_path: Path) -> None:
    """The rule is written, and what it does to rows that it has not seen is told."""
    samples, rule = labelled(tmp_path / "rows.jsonl", 200), tmp_path / "rule.json"
    done = run("--samples", samples, "-o", rule)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("200 samples, ")
    assert "of those that are dear" in done.output
    assert f'ByCost(LearnedRule("{rule}"))' in done.output
    texts = np.array([["w " * 3], ["w " * 18]], np.object_)
    assert LearnedRule(str(rule))(InferRequest(model="m", inputs={"text": texts})) == [False, True]


def test_json(tmp_path: Path) -> None:
    samples, rule = labelled(tmp_path / "rows.jsonl", 200), tmp_path / "rule.json"
    done = run("--samples", samples, "-o", rule, "--threshold", "20%", "--json")
    told = json.loads(done.output)
    held = told.pop("held_out")
    assert told == {k: v for k, v in json.loads(rule.read_text()).items() if k != "format"}
    assert told["threshold"] == 0.2
    assert held["rows"] == 200
    # Nothing but rows around ten words is in doubt.
    assert held["caught"] >= 0.9 * held["dear"]
    assert held["sent"] <= held["dear"] + 40


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no row"),
        ("{", "rows.jsonl:1: is not JSON"),
        ('{"text": "a", "dear": true}\n{"text": "a", "dear": 2}', "rows.jsonl:2: must have inputs"),
        ('{"dear": true}', "rows.jsonl:1: must have inputs"),
        ('{"text": "a", "dear": true}\n\n{"t": "a", "dear": true}', "rows.jsonl:3: must have the"),
        ('{"text": "a", "dear": true}', "10 rows of each kind or more, but got 1 dear and 0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    samples = tmp_path / "rows.jsonl"
    samples.write_text(text)
    done = run("--samples", samples, "-o", tmp_path / "rule.json")
    assert done.exit_code != 0
    assert message in done.output + str(done.exception)
    assert not (tmp_path / "rule.json").exists()


def test_one_model_is_no_comparison(tmp_path: Path) -> None:
    done = run("--samples", labelled(tmp_path / "a.jsonl", 1), "-o", "x", "--fast", "m")
    assert (done.exit_code, "--accurate go together" in done.output) == (2, True)


def test_held_out_says_nothing_of_too_few() -> None:
    inputs = {"x": np.zeros((24, 2))}
    assert held_out(inputs, [True, False] * 12) is None
    found = held_out({"x": np.zeros((26, 2))}, [True, False] * 13)
    assert found is not None
    assert (found.rows, found.dear) == (26, 13)
