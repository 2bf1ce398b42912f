"""A shadow in a policy file, and one on a real server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import AsyncClient, Cosine, Deadline, Retry, Route, Shadow, TopK
from tritonkit.client.policy.explain import explain
from tritonkit.client.policy.order import misplaced
from tritonkit.client.policy.policy import Policy, load_policy
from tritonkit.errors import PolicyError

if TYPE_CHECKING:
    from tests.client.conftest import Triton

FILE = """
server = "http://localhost:8000"

[[layers]]
type = "shadow"
share = "5%"
by = "user"
tolerate = "2%"
compare = { type = "cosine", threshold = 0.98 }

[layers.route]
name = "int8"
model = "embed_int8"

[layers.outputs]
logits = { type = "top_k", k = 3 }
text = "exact"
"""


def policy(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return load_policy(path, environment={})


def test_it_builds_what_python_builds(tmp_path: Path) -> None:
    _, layers = policy(tmp_path, FILE).build()
    (layer,) = layers
    assert isinstance(layer, Shadow)
    assert repr(layer) == repr(Shadow(Route("int8", model="embed_int8"), share=0.05))
    assert layer.rules.tolerate == 0.02
    comparators = layer._judge._comparators
    assert repr(comparators.every) == repr(Cosine(0.98))
    assert repr(comparators.outputs["logits"]) == repr(TopK(3))
    assert repr(comparators.outputs["text"]) == "Exact()"


def test_it_is_explained(tmp_path: Path) -> None:
    text = explain(policy(tmp_path, FILE))
    assert "A copy is sent elsewhere:" in text
    assert "5% of the requests go to the route as well, after their answer" in text
    assert "the tag user decides which" in text
    assert "beyond 100 copies or 64MB the newest is dropped" in text
    paired = policy(tmp_path, FILE.replace('share = "5%"', "paired = true"))
    assert "10% of the requests go to the route as well, at the same time" in explain(paired)


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    wrong = FILE.replace("threshold = 0.98", "threshold = 3").replace('"top_k"', '"top"')
    with pytest.raises(PolicyError) as found:
        policy(tmp_path, wrong).build()
    assert "threshold must be -1 to 1" in str(found.value)
    assert "top_k" in str(found.value)


def test_its_place() -> None:
    """Above what sends a request twice, for each of them would be copied."""
    shadow = Shadow(Route("s"))
    assert not [*misplaced([Deadline("1s"), shadow, Retry()])]
    ((path, why),) = misplaced([Retry(), shadow])
    assert path == ("layers", 0)
    assert "each attempt is copied" in why


async def test_on_a_real_server(mixers: Triton) -> None:
    """
    The user's bytes are those without a shadow; the verdict is about the other model.

    The model that adds to each row its place in the batch is right about first rows only.
    """
    layer = Shadow(Route("counts", model="counts"), share=1, keep=1)
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    async with AsyncClient(mixers.http) as bare, AsyncClient(mixers.http, [layer]) as client:
        expected = await bare.infer("doubles", x)
        same: list[Any] = []
        for _ in range(100):
            answer = await client.infer("doubles", x)
            same.append(answer["y"].tobytes() == expected["y"].tobytes())
            if layer.verdict.decision != "undecided":
                break
    assert all(same)
    assert layer.verdict.decision == "reject"
    report = layer.report()
    assert report.tally.disagreeing == report.tally.rows
    assert report.tally.primary.n == report.tally.requests
    assert report.worst[0].inputs["x"].tolist() in x[:, None].tolist()
