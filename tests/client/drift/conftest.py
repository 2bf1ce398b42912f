"""Samples of a model that has two numbers, a text and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client.drift.profile import Profile

if TYPE_CHECKING:
    from tritonkit.server.testing import TritonServer

ROWS = 2000


class Samples:
    """Makes rows, the same ones of the same seed."""

    rows = ROWS

    @staticmethod
    def texts(
        count: int, seed: int, words: str = "the of and to in is it for"
    ) -> NDArray[np.object_]:
        chance = np.random.default_rng(seed)
        known = words.split()
        lengths = chance.integers(2, 9, count)
        rows = [
            [" ".join(chance.choice(known, length)) + str(n)] for n, length in enumerate(lengths)
        ]
        return np.array(rows, dtype=np.object_)

    @staticmethod
    def probabilities(count: int, seed: int, sure: float = 8.0) -> NDArray[np.float32]:
        """Of two classes; the greater *sure*, the surer."""
        one = np.random.default_rng(seed).beta(sure, 1.0, count)
        return np.stack([one, 1 - one], axis=1).astype(np.float32)

    @staticmethod
    def right_labels(rows: NDArray[np.float32], seed: int) -> NDArray[np.intp]:
        """As often right as the probabilities say."""
        one = np.random.default_rng(seed).random(len(rows)) < rows[:, 0]
        return np.where(one, 0, 1)


@pytest.fixture(scope="session")
def samples() -> type[Samples]:
    return Samples


@pytest.fixture(scope="session")
def profile() -> Profile:
    chance = np.random.default_rng(7)
    classes = Samples.probabilities(ROWS, 8)
    return Profile.of(
        "m",
        {"x": chance.standard_normal((ROWS, 2)).astype(np.float32), "text": Samples.texts(ROWS, 9)},
        {"p": classes, "embedding": chance.standard_normal((ROWS, 24)).astype(np.float32)},
        labels=Samples.right_labels(classes, 10),
        better=classes,
        window=100,
    )


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

INTENT_CONFIG = """
backend: "python"
max_batch_size: 64
input [ { name: "text", data_type: TYPE_STRING, dims: [ 1 ] } ]
output [ { name: "p", data_type: TYPE_FP32, dims: [ 2 ] } ]
parameters { key: "tritonkit.model_digest" value { string_value: "intent" } }
parameters { key: "tritonkit.batch_invariant" value { string_value: "true" } }
"""


@pytest.fixture(scope="session")
def intents(tmp_path_factory: pytest.TempPathFactory, triton_server_session: TritonServer) -> str:
    """The URL of a server of two models of text to two classes, both the same."""
    repository = tmp_path_factory.mktemp("intents")
    for name in ("intent", "intent_large"):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(INTENT_CONFIG)
        (repository / name / "1" / "model.py").write_text(INTENT)
    return triton_server_session(repository).http_url
