"""The exported graph and tokenizer against sentence-transformers on the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tritonkit.export import Export
from tritonkit.export.embedder import Embedder
from tritonkit.export.source import read_source
from tritonkit.export.verify import cosine

pytestmark = pytest.mark.usefixtures("exported")


def embedder(minilm: Path, repository: Path, encoder: str) -> Embedder:
    return Embedder(read_source(minilm), repository / encoder / "1" / "model.onnx")


def in_tens(embed: Embedder, texts: list[str]) -> NDArray[np.float32]:
    """All at once would pad the shortest of them to the longest."""
    return np.concatenate([embed(texts[start : start + 10]) for start in range(0, len(texts), 10)])


def test_fp32_gives_the_sources_embeddings(
    minilm: Path, repository: Path, texts: list[str], reference: NDArray[np.float32]
) -> None:
    assert len(texts) == 100
    embed = embedder(minilm, repository, "minilm_encoder")
    assert cosine(in_tens(embed, texts), reference).min() >= 0.9999


def test_fp32_does_not_depend_on_the_batch(
    minilm: Path, repository: Path, texts: list[str], reference: NDArray[np.float32]
) -> None:
    """Each text alone, and so padded otherwise."""
    embed = embedder(minilm, repository, "minilm_encoder")
    alone = np.concatenate([embed([text]) for text in texts])
    assert cosine(alone, reference).min() >= 0.9999


def test_int8_is_close_and_quarter_the_size(
    minilm: Path,
    repository: Path,
    exported: Export,
    texts: list[str],
    reference: NDArray[np.float32],
) -> None:
    embed = embedder(minilm, repository, "minilm_int8_encoder")
    assert cosine(in_tens(embed, texts), reference).mean() >= 0.98
    fp32, int8 = exported.cards
    assert int8.size_bytes <= 0.26 * fp32.size_bytes


@pytest.mark.parametrize("encoder", ["minilm_encoder", "minilm_int8_encoder"])
def test_the_graph_is_one_that_triton_24_10_reads(repository: Path, encoder: str) -> None:
    """Its onnxruntime, 1.19, reads opset 21 and IR version 10 at most."""
    model = onnx.load(str(repository / encoder / "1" / "model.onnx"))
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 17
    assert model.ir_version <= 10
    assert [tensor.name for tensor in model.graph.input] == ["input_ids", "attention_mask"]
    (output,) = model.graph.output
    assert output.type.tensor_type.shape.dim[1].dim_value == 384
