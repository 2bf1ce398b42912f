"""What the demo's traffic looks like while all is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tritonkit.client import Client
from tritonkit.client.drift.profile import Profile
from tritonkit.gateway.demo.traffic import Flow, Traffic

__all__ = ["reference"]

_BATCH = 32


def reference(url: str, model: str, texts: Sequence[str], flow: Flow, *, rows: int) -> Profile:
    """
    A profile of texts as the traffic draws them, and of what the model answers.

    Args:
        url: Of a Triton.
        model: Its name.
        texts: The most popular first.
        flow: How popular they are.
        rows: How many to draw; 100 at least.
    """
    asked = [texts[rank] for rank in drawn(flow, len(texts), rows)]
    # Each is asked for once.
    distinct = list(dict.fromkeys(asked))
    with Client(url) as client:
        answers = [
            client.infer(model, {"text": [[text] for text in distinct[start : start + _BATCH]]})
            for start in range(0, len(distinct), _BATCH)
        ]
    places = [distinct.index(text) for text in asked]
    outputs = {
        name: np.concatenate([answer[name] for answer in answers])[places]
        for name in answers[0].outputs
    }
    inputs = {"text": np.array([[text.encode()] for text in asked], dtype=object)}
    return Profile.of(model, inputs, outputs)


def drawn(flow: Flow, texts: int, rows: int) -> list[int]:
    """Ranks of the first *rows* texts of such traffic, of another seed than the demo's own."""
    # What is asked does not depend on how often, and a rate of 0 would ask nothing.
    traffic = Traffic(replace(flow, rate=100.0), texts, seed=-1)
    found: list[int] = []
    now = 0.0
    while len(found) < rows:
        now += 1.0
        for asked in traffic.until(now):
            found += asked.ranks
    return found[:rows]
