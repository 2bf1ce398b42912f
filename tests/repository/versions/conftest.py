from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import pytest

from tritonkit.repository import Step, Tensor, ensemble_config, render_config

X, Y = Tensor("x", "TYPE_FP32", (1,)), Tensor("y", "TYPE_FP32", (1,))

# Answers with its input plus 10 times what its version folder says, plus its version.
MODEL = """
import numpy as np
import triton_python_backend_utils as utils


class TritonPythonModel:
    def initialize(self, args):
        self.added = 10 * ADDED + int(args["model_version"])

    def execute(self, requests):
        return [
            utils.InferenceResponse([
                utils.Tensor("y", utils.get_input_tensor_by_name(request, "x").as_numpy()
                             + np.float32(self.added))
            ])
            for request in requests
        ]
"""

CONFIG = """\
# Written by hand.
name: "{name}"
backend: "python"
max_batch_size: 8  # as the team agreed
input {{ name: "x" data_type: TYPE_FP32 dims: 1 }}
output {{ name: "y" data_type: TYPE_FP32 dims: 1 }}
instance_group {{ kind: KIND_CPU }}
"""

MakeModel: TypeAlias = Callable[..., Path]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty model repository, alone in its folder."""
    folder = tmp_path / "here" / "repository"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def make_model(repository: Path) -> MakeModel:
    """Writes a Python model by hand: its versions, and lines for the end of its config."""

    def make(name: str, versions: Iterable[int | str] = (1, 2), more: str = "") -> Path:
        folder = repository / name
        folder.mkdir()
        (folder / "config.pbtxt").write_text(CONFIG.format(name=name) + more)
        for version in versions:
            (folder / str(version)).mkdir()
            (folder / str(version) / "model.py").write_text(MODEL.replace("ADDED", str(version)))
        return folder

    return make


@pytest.fixture
def make_ensemble(repository: Path) -> MakeModel:
    """Writes an ensemble that calls one model after the other; a pair asks for a version."""

    def make(name: str, *steps: str | tuple[str, int], more: str = "") -> Path:
        folder = repository / name
        (folder / "1").mkdir(parents=True)
        called = [step if isinstance(step, tuple) else (step, -1) for step in steps]
        tensors = ["x", *(f"t{n}" for n in range(1, len(called))), "y"]
        config = ensemble_config(
            name,
            [
                Step(model, {"x": tensors[n]}, {"y": tensors[n + 1]}, version)
                for n, (model, version) in enumerate(called)
            ],
            inputs=[X],
            outputs=[Y],
            max_batch_size=8,
        )
        (folder / "config.pbtxt").write_text(render_config(config) + more)
        return folder

    return make
