"""The guide to a rollout, whose every command and program runs here, on a real server."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from tritonkit.cli import main
from tritonkit.client.statistics.proportions import needed

if TYPE_CHECKING:
    from tritonkit.server.testing import TritonServer

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "roll-out-a-model.md"
USERS = 400

INTENT = """
import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        texts = pb.get_input_tensor_by_name(request, "text").as_numpy().ravel()
        lengths = np.array([len(text) for text in texts], dtype=np.float32)
        one = 1 / (1 + np.exp(lengths / 8 - 3))
        return pb.InferenceResponse([pb.Tensor("p", np.stack([one, 1 - one], axis=1))])
"""
CONFIG = """
backend: "python"
max_batch_size: 64
input [ { name: "text", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "p", data_type: TYPE_FP32, dims: [ 2 ] } ]
"""


@pytest.fixture(scope="module")
def intents(tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer) -> str:
    """The URL of a server of two models that answer the same."""
    repository = tmp_path_factory.mktemp("rollout")
    for name in ("intent", "intent_int8"):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(CONFIG)
        (repository / name / "1" / "model.py").write_text(INTENT)
    return triton_server_session(repository).http_url


def test_the_guide_does_what_it_says(
    tmp_path: Path, intents: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks one after the other; int8 is as good, and answers all in the end."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(1)
    lengths = generator.integers(5, 45, USERS)
    Path("texts.txt").write_text("".join(f"{'x' * length}\n" for length in lengths))
    right = (lengths > 24) ^ (generator.random(USERS) < 0.02)
    Path("labels.txt").write_text("".join(f"{int(label)}\n" for label in right))
    told = {}
    needs = [needed(0, 0, tolerated) for tolerated in (0.05, 0.01)]
    assert "here {} at least, and {} where 1 %".format(*needs) in GUIDE.read_text("utf-8")
    text = GUIDE.read_text("utf-8").replace("http://localhost:8000", intents)
    for language, block in re.findall(r"```(bash|toml|python)\n(.*?)```", text, re.DOTALL):
        if language == "toml":
            Path("serving.toml").write_text(block)
        elif language == "bash":
            for line in block.splitlines():
                name, *arguments = shlex.split(line)
                assert name == "tritonkit"
                result = CliRunner().invoke(main, arguments)
                assert result.exit_code == 0, (line, result.output)
                told[arguments[1]] = result.output
                if arguments[1] == "report":
                    again = CliRunner().invoke(main, [*arguments, "--json"])
                    found = json.loads(again.stdout)
        else:
            done = subprocess.run(
                [sys.executable, "-c", block], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert re.findall(r"print\(.*\)  # (.*)", block) == done.stdout.splitlines()

    control, int8 = found["arms"]
    assert [control["name"], int8["name"]] == ["control", "int8"]
    assert control["units"] + int8["units"] == USERS == control["answers"] + int8["answers"]
    assert found["sample_ratio"]["mismatch"] is False
    assert found["verdict"] == "int8 by solved: no difference beyond 10 points"
    assert found["verdict"] in told["report"]
    assert found["verdict"] in Path("report.html").read_text("utf-8")
    assert "days" in told["plan"]
    assert told["status"].splitlines()[1].split()[:3] == ["precision", "running", str(USERS)]
    assert '\n+type = "tiers"\n' in told["promote"]
    promoted = Path("serving.toml").read_text()
    assert "# Half of the users each" in promoted
    assert 'routes = [{ name = "int8", model = "intent_int8" }]' in promoted
