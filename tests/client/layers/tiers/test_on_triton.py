"""Two models on a real Triton: calibrated, cascaded, and one of them gone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tritonkit.cli import main
from tritonkit.client import AsyncClient, Cache, Client, LearnedRule, Memory, Route
from tritonkit.client.layers.tiers.by_cost import ByCost
from tritonkit.client.layers.tiers.cascade import Cascade
from tritonkit.client.layers.tiers.constant import Constant
from tritonkit.client.layers.tiers.fast_then_accurate import FastThenAccurate
from tritonkit.client.layers.tiers.tiers import Tiers
from tritonkit.errors import ModelUnavailable

if TYPE_CHECKING:
    from tritonkit.server.testing import TritonServer

# Both tell whether x is positive. The fast one errs from -0.2 to 0, where it is unsure.
CODE = """
import time

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args):
        fast = args["model_name"] == "fast"
        self.bias, self.slope = (0.2, 4) if fast else (0, 1000)

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        x = pb.get_input_tensor_by_name(request, "x").as_numpy()
        if self.bias == 0 and (x == SLOW).any():
            time.sleep(1)
        logits = np.concatenate([(x + self.bias) * self.slope, np.zeros_like(x)], axis=1)
        return pb.InferenceResponse([pb.Tensor("logits", logits)])
"""

SLOW = 7.0
"""A row that takes the accurate model a second."""

CONFIG = """
backend: "python"
max_batch_size: 64
input [ { name: "x", data_type: TYPE_FP32, dims: [ 1 ] } ]
output [ { name: "logits", data_type: TYPE_FP32, dims: [ 2 ] } ]
parameters { key: "tritonkit.model_digest" value { string_value: "DIGEST" } }
parameters { key: "tritonkit.batch_invariant" value { string_value: "true" } }
"""

SURE = 1 / (1 + np.exp(-0.8))
"""The fast model's probability at the edge of where it errs."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer) -> str:
    repository = tmp_path_factory.mktemp("intents")
    for name in ("accurate", "fast"):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(CONFIG.replace("DIGEST", name))
        (repository / name / "1" / "model.py").write_text(CODE.replace("SLOW", str(SLOW)))
    return str(triton_server_session(repository).http_url)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    path = tmp_path / "samples.npy"
    np.save(path, np.random.default_rng(1).uniform(-2, 2, (600, 1)).astype(np.float32))
    return path


def routes() -> list[Route]:
    return [Route("accurate", model="accurate"), Route("fast", model="fast")]


def calibrate(url: str, samples: Path, *arguments: str) -> Result:
    options = ["--url", url, "--fast", "fast", "--accurate", "accurate"]
    return CliRunner().invoke(main, ["calibrate", *options, "--samples", str(samples), *arguments])


def test_calibrates_and_cascades(url: str, samples: Path) -> None:
    """With the threshold that was found, other rows agree, and few of them go on."""
    result = calibrate(url, samples, "--agreement", "99%", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["samples"] == 600
    assert 0.5 < found["threshold"] <= SURE
    assert found["bound"] <= 0.01
    cascade = Cascade(threshold=found["threshold"])
    with Client(url, [Tiers(*routes(), strategy=cascade)]) as client:
        x = np.random.default_rng(2).uniform(-2, 2, (60, 1)).astype(np.float32)
        answer = client.infer("accurate", {"x": x})
        agreeing = (answer["logits"][:, 0] > 0) == (x[:, 0] > 0)
        unsure = 1 / (1 + np.exp(-4 * abs(x[:, 0] + np.float32(0.2)))) < found["threshold"]
    assert agreeing.mean() >= 0.95
    assert answer.trace.tiers == tuple(["accurate" if one else "fast" for one in unsure])
    assert 0 < unsure.mean() < 0.3


def test_learns_from_two_models(url: str, samples: Path, tmp_path: Path) -> None:
    """A row is dear where they differ. By its size alone none of these is likely to be."""
    rule = tmp_path / "rule.json"
    options = ["--url", url, "--fast", "fast", "--accurate", "accurate", "-o", str(rule)]
    result = CliRunner().invoke(main, ["fit-rule", "--samples", str(samples), *options, "--json"])
    assert result.exit_code == 0, result.output
    held = json.loads(result.stdout)["held_out"]
    # A twentieth of them is from -0.2 to 0; of 600, within four deviations.
    assert held["rows"] == 600
    assert 9 <= held["dear"] <= 51
    assert held["sent"] == 0
    with Client(url, [Tiers(*routes(), strategy=ByCost(LearnedRule(str(rule))))]) as client:
        x = np.ones((3, 1), np.float32)
        assert client.infer("accurate", {"x": x}).trace.tiers == ("fast",)


def test_says_what_it_found(url: str, samples: Path) -> None:
    lines = calibrate(url, samples, "--score", "margin", "-o", "logits").stdout.splitlines()
    assert lines[0].startswith("600 samples; the models agree on 9")
    assert lines[1].startswith("Threshold: 0.")
    assert lines[1].endswith("(margin).")
    assert lines[2].startswith("Share that goes on: ")
    assert "at most 0." in lines[3]
    assert lines[4].startswith('To use it: Cascade(score="margin", threshold=0.')
    assert lines[4].endswith(", output='logits')")


def test_too_few_samples(url: str, tmp_path: Path) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text("\n".join(json.dumps([float(n)]) for n in range(1, 21)))
    result = calibrate(url, path)
    assert result.exit_code == 1
    assert "20 samples are too few" in result.stdout
    assert "at least 299" in result.stdout
    assert calibrate(url, path, "--agreement", "80%").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--output", "label"), "no output 'label'"),
        (("--agreement", "100%"), "less than 1"),
        (("--input", "z"), "no input 'z'"),
    ],
)
def test_what_cannot_be_calibrated(
    url: str, samples: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = calibrate(url, samples, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_file_without_rows(url: str, tmp_path: Path) -> None:
    path = tmp_path / "none.jsonl"
    path.touch()
    result = calibrate(url, path)
    assert (result.exit_code, "has no row" in result.stderr) == (2, True)


async def test_a_model_that_is_not_there(url: str) -> None:
    tiers = Tiers(Route("new", model="tomorrows"), *routes(), last=[Constant({"logits": 0})])
    async with AsyncClient(url, [tiers]) as client:
        answer = await client.infer("accurate", {"x": [1.0]})
        assert answer.trace.tiers == ("accurate",)
        assert answer.trace.degraded == "fallback: new: ModelUnavailable"
    lost = [Route("a", model="lost"), Route("b", model="lost2")]
    async with AsyncClient(url, [Tiers(*lost)]) as client:
        with pytest.raises(ModelUnavailable):
            await client.infer("accurate", {"x": [1.0]})
    async with AsyncClient(url, [Tiers(*lost, last=[Constant({"logits": [0.5, 0.5]})])]) as client:
        answer = await client.infer("accurate", {"x": [1.0, 2.0]})
        assert answer["logits"].tolist() == [[0.5, 0.5]] * 2


async def test_rows_by_cost(url: str) -> None:
    tiers = Tiers(*routes(), strategy=ByCost(lambda request: request.inputs["x"].ravel() > 1))
    async with AsyncClient(url, [tiers]) as client:
        answer = await client.infer("accurate", {"x": [0.5, 1.5]})
    assert answer.trace.tiers == ("fast", "accurate")
    np.testing.assert_allclose(answer["logits"][:, 0], [2.8, 1500], rtol=1e-5)


async def test_fast_now_and_accurate_next(url: str) -> None:
    tiers = Tiers(*routes(), strategy=FastThenAccurate())
    async with AsyncClient(url, [tiers, Cache(Memory("1MB"))]) as client:
        answer = await client.infer("accurate", {"x": [SLOW]})
        assert answer.trace.tiers == ("fast",)
        assert answer.trace.degraded == "fast: accurate is being computed"
        async with asyncio.timeout(30):
            while answer.trace.degraded:
                answer = await client.infer("accurate", {"x": [SLOW]})
        answer = await client.infer("accurate", {"x": [SLOW]})
        assert (answer.trace.tiers, answer.trace.origins) == (("accurate",), ("memory",))
        np.testing.assert_allclose(answer["logits"], [[7000, 0]])
