"""`tritonkit drift` on a real server, and the guide, whose every command runs here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tritonkit.cli import main
from tritonkit.client import AsyncClient, Cache, Drift
from tritonkit.client.drift.evidence import windows_to_find
from tritonkit.client.drift.profile import Profile
from tritonkit.client.drift.rates import rows_to_find
from tritonkit.client.policy.policy import Policy

if TYPE_CHECKING:
    from conftest import Samples

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "watch-for-drift.md"

Write = Callable[..., Path]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["drift", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, samples: type[Samples]) -> Path:
    """Texts with labels, texts like them, texts of another kind."""
    found = tmp_path_factory.mktemp("drift")

    def write(name: str, texts: np.ndarray[tuple[int, ...], np.dtype[np.object_]]) -> None:
        (found / name).write_text("".join(f"{text}\n" for text in texts.ravel()), "utf-8")

    texts = samples.texts(600, 1)
    write("texts.txt", texts)
    write("alike.txt", samples.texts(200, 2))
    write("today.txt", samples.texts(200, 3, words="и в не на я быть он с что как это"))
    # The model's own rule, and one in ten labels is another.
    wrong = np.arange(600) % 10 == 0
    long = np.array([len(text) > 24 for text in texts.ravel()])
    (found / "labels.txt").write_text("".join(f"{int(it)}\n" for it in long ^ wrong))
    return found


@pytest.fixture(scope="module")
def made(folder: Path, intents: str) -> Path:
    path = folder / "made.drift"
    result = run(
        "profile", "intent", "--url", intents, "--inputs", folder / "texts.txt",
        "--labels", folder / "labels.txt", "--heavy", "intent_large", "-o", path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "600 rows of 'intent', 9 features, windows of 150 to 150 rows." in result.output
    assert "Accuracy: 90.00% of 600 labels." in result.output
    assert "Agreement with the better model: 100.00%." in result.output
    return path


def test_a_sample_like_the_reference(made: Path, folder: Path) -> None:
    result = run("check", made, "--inputs", folder / "alike.txt")
    assert result.exit_code == 0, result.output
    assert "200 rows of 'intent': 0 of 4 features have drifted." in result.output


def test_a_sample_that_has_drifted(made: Path, folder: Path) -> None:
    result = run("check", made, "--inputs", folder / "today.txt")
    assert result.exit_code == 1, result.output
    lines = result.output.splitlines()
    assert lines[0].split()[:2] == ["feature", "measure"]
    assert lines[1].startswith("input text: scripts ")
    assert lines[1].endswith("the share of latin fell from 62.2% to 0.0%")


def test_json(made: Path, folder: Path) -> None:
    result = run("check", made, "--inputs", folder / "today.txt", "--json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    drifted = {it["feature"] for it in found["findings"] if it["drifted"]}
    assert found["drifted"]
    assert {"input text: scripts", "input text: trigrams"} <= drifted
    assert "output p: class" in found["unread"]


def test_recorded_outputs(folder: Path, samples: type[Samples]) -> None:
    """No server is asked; labels tell of a fall."""
    chance = np.random.default_rng(1)
    classes = samples.probabilities(800, 2)
    np.savez(folder / "x.npz", x=chance.standard_normal((800, 2)))
    np.savez(folder / "p.npz", p=classes)
    np.save(folder / "right.npy", samples.right_labels(classes, 3))
    np.save(folder / "wrong.npy", 1 - samples.right_labels(classes, 3))
    path = folder / "recorded.drift"
    files = ("--inputs", folder / "x.npz", "--outputs", folder / "p.npz")
    result = run("profile", "m", *files, "--labels", folder / "right.npy", "-o", path)
    assert result.exit_code == 0, result.output
    good = run("check", path, *files, "--labels", folder / "right.npy")
    assert good.exit_code == 0, good.output
    assert "Accuracy that confidence promises:" in good.output
    bad = run("check", path, *files, "--labels", folder / "wrong.npy")
    assert bad.exit_code == 1
    assert "The accuracy has fallen." in bad.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["profile", "m", "--inputs", "texts.txt", "--outputs", "p.json", "-o", "o"], "p.json"),
        (["check", "texts.txt", "--inputs", "texts.txt"], "no drift profile"),
        (["check", "made.drift", "--inputs", "few.txt"], "30 rows at least"),
        (["check", "made.drift", "--inputs", "other.jsonl"], "of which the profile knows nothing"),
        (
            ["check", "made.drift", "--inputs", "texts.txt", "--labels", "few.txt"],
            "cannot be read as labels",
        ),
        (
            ["profile", "m", "--inputs", "texts.txt", "--outputs", "o.npz", "-o", "o"],
            "names no input: name it with --input",
        ),
    ],
)
def test_what_is_wrong(
    made: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    Path("few.txt").write_text("one\ntwo\n")
    Path("p.json").write_text("[]")
    Path("other.jsonl").write_text('{"y": 1}\n' * 40)
    np.savez("o.npz", p=np.ones((600, 2)))
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.output


async def test_the_layer_on_a_real_server(made: Path, intents: str, samples: type[Samples]) -> None:
    """Twice the same texts: the second time they are hits, and traffic all the same."""
    drift = Drift(made, share=1, most=1e6)
    async with AsyncClient(intents, [drift, Cache()]) as client:
        texts = samples.texts(60, 9)
        for _ in range(2):
            await client.infer("intent", {"text": texts})
        assert client.infer_now("intent", {"text": texts}) is not None
        assert drift.flush()
        features = drift.status()["models"]["intent"]["features"]
    assert features["traffic"]["output p: class"]["rows"] == 180
    assert features["computed"]["output p: class"]["rows"] == 60


def test_the_guide_does_what_it_says(
    folder: Path, intents: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    text = GUIDE.read_text("utf-8").replace("http://localhost:8000", intents)
    codes = []
    for command in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        for line in command.splitlines():
            name, *arguments = shlex.split(line)
            assert name == "tritonkit"
            codes.append(CliRunner().invoke(main, arguments).exit_code)
    # The texts of today are of another kind.
    assert codes == [0, 1]
    (layers,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    policy = Policy(f'server = "{intents}"\n{layers}', environment={"ALERTS_URL": "http://host/"})
    assert repr(policy.build()[1][0]) == "Drift(intent, share=0.05)"
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    expected = re.findall(r"print\(.*\)  # (.*)", "".join(snippets))
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(snippets)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def test_the_numbers_of_the_guide() -> None:
    text = GUIDE.read_text("utf-8")
    assert f"within {rows_to_find(0.94, 0.89, reference=5000):,} judged rows" in text
    chance = np.random.default_rng(1)
    scales = Profile.of("m", {"x": chance.standard_normal((5000, 1))}).scales
    windows = windows_to_find(1e7 / scales[0], 20, len(scales))
    assert f"within {windows * scales[0]:,} sampled rows" in text
