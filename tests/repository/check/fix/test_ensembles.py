"""What an ensemble's models leave one answer for is repaired; the rest stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.repository.check.case import write_files
from tests.repository.check.cases.ensemble_config import TENSOR, ensemble, step
from tests.repository.check.cases.ensemble_edges import MODELS

from tritonkit.repository.check.check import check
from tritonkit.repository.check.fix.rounds import fix

ADD = step("add", {"x": "a"}, {"y": "b"})
RIGHT = ensemble(ADD)
INT, WIDE = "data_type: TYPE_INT32 dims: 4", "data_type: TYPE_FP32 dims: [ 1, 4 ]"


def _fixed(folder: Path, config: str) -> str:
    """What becomes of an ensemble."""
    write_files(folder, {**MODELS, "m/config.pbtxt": config, "m/1/": ""})
    fix(lambda texts: check(folder, texts=texts))
    return (folder / "m" / "config.pbtxt").read_text()


@pytest.mark.parametrize(
    ("config", "right"),
    [
        ('backend: "python"\n' + RIGHT, RIGHT),
        (ensemble(ADD, rest="instance_group { count: 1 }\n"), RIGHT),
        (ensemble(ADD.replace("-1", "0")), RIGHT),
        (ensemble(ADD, inputs={"a": INT}), RIGHT),
        (ensemble(ADD, inputs={"a": WIDE}), RIGHT.replace("dims: 4", "dims: [ 4 ]", 1)),
        (ensemble(ADD, outputs={"b": INT}), RIGHT),
        (ensemble(ADD, max_batch_size=9), RIGHT.replace("max_batch_size: 4", "max_batch_size: 8")),
        (ensemble("  max_inflight_requests: 4\n", ADD), RIGHT),
    ],
)
def test_what_its_models_tell(config: str, right: str, tmp_path: Path):
    """A batch axis among the dims, a wrong data type, too many rows, a forgotten version."""
    assert _fixed(tmp_path, config) == right


def test_what_has_steps_is_an_ensemble(tmp_path: Path):
    text = _fixed(tmp_path, RIGHT.replace('platform: "ensemble"\n', ""))
    assert 'platform: "ensemble"' in text


@pytest.mark.parametrize(
    "config",
    [
        ensemble(ADD.replace("-1", "7")),
        ensemble(ADD.replace('"a"', '"c"')),
        ensemble(step("add", {"x": "a"}, {"y": "b", "z": "c"})),
        ensemble(
            step("flat", {"x": "a"}, {"y": "k"}),
            step("add", {"x": "k"}, {"y": "b"}),
            outputs={"b": TENSOR},
        ),
    ],
)
def test_what_can_be_several_things(config: str, tmp_path: Path):
    """Which version, which tensor, and which of two models is wrong."""
    assert _fixed(tmp_path, config) == config
