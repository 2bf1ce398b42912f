"""Size and accuracy on MiniLM: the figures that the recipes are chosen for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from tritonkit.export.sources.source import Feeds
from tritonkit.export.stages import (
    halve,
    quantise_dynamic,
    quantise_mixed,
    quantise_static,
    quantise_weights,
)

# The first of a full ranking; it takes a minute.
SENSITIVE = [
    *(f"/encoder/layer.{layer}/output/dense/MatMul" for layer in (0, 1, 2)),
    *(f"/encoder/layer.{layer}/intermediate/dense/MatMul" for layer in (0, 1, 2, 3, 4)),
]


@pytest.fixture(scope="module")
def feeds(minilm: Path, texts: list[str]) -> Feeds:
    """The texts that are not empty, of 32 tokens at most."""
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.enable_truncation(32)
    tokenizer.enable_padding(length=32)
    found = tokenizer.encode_batch([text for text in texts if text.strip()][:64])
    return {
        "input_ids": np.array([one.ids for one in found]),
        "attention_mask": np.array([one.attention_mask for one in found]),
        "token_type_ids": np.array([one.type_ids for one in found]),
    }


CASES: dict[str, tuple[Callable[[Path, Path, Feeds], None], float, float, bool]] = {
    # How, times smaller, mean cosine, whether answers do not depend on the batch.
    "fp16": (lambda source, target, _: halve(source, target), 1.98, 0.9999, True),
    "int8": (lambda source, target, _: quantise_dynamic(source, target), 3.85, 0.98, False),
    "w8": (lambda source, target, _: quantise_weights(source, target), 3.58, 0.999, True),
    "w4": (lambda source, target, _: quantise_weights(source, target, bits=4), 5.9, 0.94, True),
    "mixed": (
        lambda source, target, _: quantise_mixed(source, target, sensitive=SENSITIVE),
        3.7,
        0.995,
        False,
    ),
    "int8_static": (
        lambda source, target, feeds: quantise_static(
            source,
            target,
            batches=[{name: array[:16] for name, array in feeds.items()}],
            weight_only=SENSITIVE,
        ),
        3.7,
        0.96,
        True,
    ),
}


@pytest.fixture(scope="module")
def expected(minilm_graph: Path, feeds: Feeds, run: Any) -> Any:
    return run(minilm_graph, feeds)


@pytest.mark.parametrize("precision", CASES)
def test_size_accuracy_and_batch_invariance(
    precision: str,
    minilm_graph: Path,
    feeds: Feeds,
    expected: Any,
    run: Any,
    cosines: Any,
    tmp_path: Path,
) -> None:
    stage, smaller, cosine, invariant = CASES[precision]
    target = tmp_path / "model.onnx"

    stage(minilm_graph, target, feeds)

    answers = run(target, feeds)
    alone = np.concatenate(
        [
            run(target, {name: array[row : row + 1] for name, array in feeds.items()})
            for row in range(4)
        ]
    )
    assert minilm_graph.stat().st_size / target.stat().st_size > smaller
    assert cosines(expected, answers).mean() > cosine
    assert (np.abs(alone - answers[:4]).max() < 1e-4) == invariant
