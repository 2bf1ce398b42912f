"""The guide says what is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tritonkit.client.layers.telemetry.families import FAMILIES
from tritonkit.client.policy.policy import load_policy

if TYPE_CHECKING:
    from tests.client.conftest import Triton

GUIDE = (Path(__file__).parents[4] / "docs" / "guides" / "watch-a-service.md").read_text()


def test_the_table_of_metrics() -> None:
    """Each that is exported, as it is exported."""
    rows = re.findall(r"^\| `(tritonkit_.*)` \| (.*) \| (.*) \| (.*) \|$", GUIDE, re.MULTILINE)
    assert rows == [
        (family.exported, family.kind, ", ".join(family.labels), family.help) for family in FAMILIES
    ]


def test_queries_name_metrics_that_exist() -> None:
    queries = "".join(re.findall(r"```promql\n(.*?)```", GUIDE, re.DOTALL))
    named = set(re.findall(r"tritonkit_\w+", queries))
    exported = {family.exported for family in FAMILIES}
    exported |= {f"{family.exported}_bucket" for family in FAMILIES if family.kind == "histogram"}
    assert named
    assert named <= exported


def test_the_examples(triton: Triton, capsys: pytest.CaptureFixture[str]) -> None:
    """They print what their comments say."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
    code = code.replace("http://localhost:8000", triton.http)
    exec(code.replace('"minilm", "hello"', '"same", [[0.0] * 16]').replace("minilm", "same"), {})
    printed = capsys.readouterr().out
    expected = re.findall(r"print\(.*\)  # (.*)", code)
    assert expected
    assert [line for line in expected if line not in printed] == []


def test_the_policy(tmp_path: Path) -> None:
    (layers,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    path = tmp_path / "serving.toml"
    path.write_text(f'server = "http://localhost:8000"\n{layers}')
    _, built = load_policy(path).build()
    assert "Telemetry('shop', spans=True)" in repr(built)
