"""The exported graph and tokenizer against sentence-transformers on the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tritonkit.export import Export
from tritonkit.export.accuracy.cosine import cosine
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer

pytestmark = pytest.mark.usefixtures("exported")


def embedded(
    minilm: Path, repository: Path, encoder: str, texts: list[str], batch_size: int
) -> NDArray[np.float32]:
    source = SentenceTransformer.read(minilm)
    network = Network(source, repository / encoder / "1" / "model.onnx")
    samples = Samples({"text": np.array(texts, object)}, "test")
    return np.stack(network.answer(samples, batch_size=batch_size)["embedding"])


def test_fp32_gives_the_sources_embeddings(
    minilm: Path, repository: Path, texts: list[str], reference: NDArray[np.float32]
) -> None:
    assert len(texts) == 100
    embeddings = embedded(minilm, repository, "minilm_encoder", texts, 10)
    assert cosine(embeddings, reference).min() >= 0.9999


def test_fp32_does_not_depend_on_the_batch(
    minilm: Path, repository: Path, texts: list[str], reference: NDArray[np.float32]
) -> None:
    """Each text alone, and so padded otherwise."""
    alone = embedded(minilm, repository, "minilm_encoder", texts, 1)
    assert cosine(alone, reference).min() >= 0.9999


def test_int8_is_close_and_quarter_the_size(
    minilm: Path,
    repository: Path,
    exported: Export,
    texts: list[str],
    reference: NDArray[np.float32],
) -> None:
    embeddings = embedded(minilm, repository, "minilm_int8_encoder", texts, 10)
    assert cosine(embeddings, reference).mean() >= 0.98
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
