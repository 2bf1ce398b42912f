"""`tritonkit infer --probe`, run as a user runs it, but in this process."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tritonkit.cli import main
from tritonkit.client.commands.verdict import exit_code, verdict_json, verdict_text
from tritonkit.client.probing.difference import Difference
from tritonkit.client.probing.probe import RowIndependence

if TYPE_CHECKING:
    from conftest import Triton


@pytest.fixture
def rows(tmp_path: Path) -> str:
    np.save(tmp_path / "x.npy", np.linspace(-1, 1, 40, dtype=np.float32).reshape(10, 4))
    return f"x=@{tmp_path}/x.npy"


def probe(server: Triton, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["infer", "--url", server.http, "--probe", *arguments])


def test_independent(mixers: Triton, rows: str) -> None:
    result = probe(mixers, "doubles", "-i", rows)
    assert result.exit_code == 0, result.output
    first, *_, last = result.output.splitlines()
    assert first == (
        "doubles (version 1): independent. "
        "Every row got the same answer to the last bit, whatever its company."
    )
    assert last == 'To keep its rows one by one, write: Cache(..., rows=["doubles"])'


def test_dependent(mixers: Triton, rows: str) -> None:
    result = probe(mixers, "counts", "-i", rows)
    assert result.exit_code == 1, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("counts (version 1): dependent. What a row gets in 'y' depends on")
    assert lines[2].split("  ")[0] == "output"
    assert "in a batch of 16" in lines[3]
    assert lines[5] == (
        "Asked: 10 different rows in batches of 1, 2, 4, 8, 10, 16; "
        f"{lines[5].split()[-4]} requests; tolerance 1e-05."
    )
    assert lines[6] == 'Leave "counts" out of Cache(..., rows=[...]) to keep whole requests.'


def test_not_deterministic(mixers: Triton, rows: str) -> None:
    result = probe(mixers, "rolls", "-i", rows)
    assert result.exit_code == 1, result.output
    assert "not deterministic. The same request got different answers" in result.output


def test_a_wide_tolerance_is_the_users(mixers: Triton) -> None:
    rows = f"x={(np.arange(8).reshape(2, 4) / 1000).tolist()}"
    assert probe(mixers, "normalises", "-i", rows).exit_code == 1
    assert probe(mixers, "normalises", "-i", rows, "--tolerance", "0.01").exit_code == 0
    assert probe(mixers, "normalises", "-i", rows, "--tolerance", "1").exit_code == 2


def test_what_cannot_be_asked(mixers: Triton, triton: Triton) -> None:
    result = probe(mixers, "doubles", "-i", "x=[[1, 2, 3, 4]]")
    assert result.exit_code == 2
    assert "cannot be asked. It takes two different rows or more." in result.output
    result = probe(triton, "echo", "-i", "IN_INT32=[[1, 2], [3, 4]]")
    assert result.exit_code == 2
    assert "Model 'echo' takes no batches" in result.output


def test_json(mixers: Triton, rows: str) -> None:
    result = probe(mixers, "normalises", "-i", rows, "--json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert (found["verdict"], found["independent"], found["rows"]) == ("dependent", False, 10)
    assert found["outputs"]["y"]["max_absolute_difference"] > 0.1
    assert found["outputs"]["y"]["worst_row"] in found["outputs"]["y"]["worst_company"]


@pytest.mark.parametrize("arguments", [("nope", "-i", "x=[[1]]"), ("doubles", "-i", "z=[[1]]")])
def test_mistakes(mixers: Triton, arguments: tuple[str, ...]) -> None:
    result = probe(mixers, *arguments)
    assert result.exit_code in (1, 2)
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output


def test_text_has_no_numbers_to_show() -> None:
    wrong = Difference(
        absolute=None, relative=None, cosine=None, error=float("inf"), row=1, company=(0, 1)
    )
    found = RowIndependence(model="m", outputs={"label": wrong}, requests=3, warnings=("few",))
    assert exit_code(found) == 1
    assert verdict_text(found).splitlines()[3].split()[:4] == ["label", "-", "-", "-"]
    assert "Note: few." in verdict_text(found)
    assert json.loads(verdict_json(found))["outputs"]["label"]["error"] is None


def test_what_the_configuration_states_is_held_against_it() -> None:
    equal = Difference(absolute=0.0, relative=0.0, cosine=1.0, error=0.0)
    found = RowIndependence(model="m", outputs={"y": equal}, stated=True)
    assert verdict_text(found).endswith("a Cache keeps its rows one by one.")
    found = RowIndependence(model="m", outputs={"y": replace(equal, error=1.0)}, stated=True)
    assert verdict_text(found).endswith("states tritonkit.batch_invariant: true. Mend that.")
