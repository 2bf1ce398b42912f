"""The guide to measuring: its commands are ones, its example runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tritonkit.bench.commands.run import run
from tritonkit.server import EmbeddedServer

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "measure-a-service.md"
TEXT = GUIDE.read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_are_understood(command: str) -> None:
    program, group, name, *words = shlex.split(command)
    assert (program, group, name) == ("tritonkit", "bench", "run")
    run.make_context(name, words)


def test_its_example_runs(server: EmbeddedServer) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    snippet = snippet.replace("http://localhost:8000", server.http_url).replace("encoder", "echo")
    done = subprocess.run(
        [sys.executable, "-c", snippet], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("concurrency 4 ")
    assert lines[2].startswith("50/s, Poisson ")
    assert lines[1::2] == ["True", "True"]
