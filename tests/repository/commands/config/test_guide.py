"""The guide to configurations, held to what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from onnx import helper, parser

from tritonkit.repository.commands.config.show import show

GUIDE = Path(__file__).parents[4] / "docs" / "guides" / "configure-a-model.md"


def test_the_guide_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model_repository" / "fraud" / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[rows,30] x) => (float[rows,1] y) '
        "{ z = MatMul(x, w) y = Sigmoid(z) }"
    )
    model.graph.initializer.append(helper.make_tensor("w", 1, [30, 1], [0.0] * 30))
    file.write_bytes(model.SerializeToString())
    monkeypatch.chdir(tmp_path)

    text = GUIDE.read_text(encoding="utf-8")
    shown, *_ = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert shown == CliRunner().invoke(show, ["model_repository", "fraud"]).stdout

    example, *_ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(example, str(GUIDE), "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith("4 [('name',), ")
    assert "# Drafted from model.onnx." in printed
