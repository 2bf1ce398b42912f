"""The commands and the code of the guides do what they say."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tritonkit.bench.report.json import Report, document, write
from tritonkit.cli import main

GUIDES = Path(__file__).parents[3] / "docs" / "guides"


def commands(name: str) -> list[list[str]]:
    """Those that make something of files, which is what these guides are about."""
    text = (GUIDES / name).read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).splitlines()
    made = re.compile(r"tritonkit bench (report|compare|merge) ")
    return [shlex.split(line)[1:] for line in lines if made.match(line)]


@pytest.fixture
def files(run: Callable[..., Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, (name, scale) in enumerate(
        {"base": 1.0, "new": 1.5, "part-0": 1.0, "part-1": 1.0}.items()
    ):
        report = run(number, scale=scale, started=10.0)
        conditions = dataclasses.replace(report.conditions, seed=number)
        write(tmp_path / f"{name}.json", document(conditions, report.measurements))
    return tmp_path


@pytest.mark.parametrize(
    ("guide", "count"), [("report-and-compare.md", 7), ("load-from-many-machines.md", 3)]
)
def test_the_commands_of_the_guides_run(files: Path, guide: str, count: int) -> None:
    found = commands(guide)
    assert len(found) == count
    for words in found:
        expanded = [
            str(path.name)
            for word in words
            for path in (sorted(files.glob(word)) if "*" in word else [Path(word)])
        ]
        done = CliRunner().invoke(main, expanded)
        assert done.exit_code == (1 if "--fail-above" in words else 0), (words, done.output)
        if "--output" in words:
            assert (files / words[words.index("--output") + 1]).stat().st_size > 100


def test_the_code_of_the_guide_runs(files: Path) -> None:
    text = (GUIDES / "report-and-compare.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("concurrency 4 p50 worse\n", "")
