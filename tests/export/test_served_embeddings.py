"""The exported repository on a real tritonserver, asked by three clients."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from tritonkit.client import Client
from tritonkit.export import Export
from tritonkit.export.accuracy.cosine import cosine
from tritonkit.server import EmbeddedServer
from tritonkit.server.testing import TritonServer

BATCH = 20


@pytest.fixture(scope="module")
def server(
    exported: Export, repository: Path, triton_server_session: TritonServer
) -> EmbeddedServer:
    assert exported.cards
    return triton_server_session(repository)


@pytest.fixture(scope="module")
def client(server: EmbeddedServer) -> Iterator[Client]:
    with Client(server.http_url) as opened:
        yield opened


def batches(texts: list[str]) -> list[list[str]]:
    return [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]


def by_tritonclient(
    protocol: Any, url: str, model: str, elements: list[Any]
) -> NDArray[np.float32]:
    with protocol.InferenceServerClient(url) as client:
        text = protocol.InferInput("text", [len(elements), 1], "BYTES")
        text.set_data_from_numpy(np.array(elements, dtype=np.object_).reshape(-1, 1))
        embeddings: NDArray[np.float32] = client.infer(model, [text]).as_numpy("embedding")
    return embeddings


@pytest.fixture(scope="module")
def three(
    server: EmbeddedServer, client: Client, texts: list[str]
) -> dict[str, NDArray[np.float32]]:
    """The embeddings of `texts` by each client."""
    http, grpc = server.http_url.removeprefix("http://"), server.grpc_url
    parts = batches(texts)
    return {
        "ours": np.concatenate([client.infer("minilm", {"text": p})["embedding"] for p in parts]),
        "http": np.concatenate(
            [by_tritonclient(tritonclient.http, http, "minilm", p) for p in parts]
        ),
        "grpc": np.concatenate(
            [by_tritonclient(tritonclient.grpc, grpc, "minilm", p) for p in parts]
        ),
    }


def test_nvidias_clients_and_ours_get_the_same_embeddings(
    three: dict[str, NDArray[np.float32]], texts: list[str]
) -> None:
    assert three["ours"].shape == (len(texts), 384)
    assert three["ours"].dtype == np.float32
    np.testing.assert_array_equal(three["ours"], three["http"])
    np.testing.assert_array_equal(three["ours"], three["grpc"])


def test_they_are_the_sources_embeddings(
    three: dict[str, NDArray[np.float32]], reference: NDArray[np.float32]
) -> None:
    assert cosine(three["ours"], reference).min() >= 0.9999


def test_single_texts_at_once_get_the_sources_embeddings(
    client: Client, texts: list[str], reference: NDArray[np.float32]
) -> None:
    """Texts of all lengths meet in the tokenizer's and the encoder's batches."""

    def embed(text: str) -> NDArray[np.float32]:
        embedding: NDArray[np.float32] = client.infer("minilm", {"text": [text]})["embedding"]
        return embedding

    with ThreadPoolExecutor(32) as callers:
        embeddings = np.concatenate(list(callers.map(embed, texts)))
    assert cosine(embeddings, reference).min() >= 0.9999


def test_int8_is_served_beside_it(
    client: Client, texts: list[str], reference: NDArray[np.float32]
) -> None:
    embeddings = [
        client.infer("minilm_int8", {"text": part})["embedding"] for part in batches(texts)
    ]
    assert cosine(np.concatenate(embeddings), reference).mean() >= 0.98


def test_a_text_that_is_not_utf8_fails_alone(server: EmbeddedServer) -> None:
    """Also where it shares a batch with others."""
    http = server.http_url.removeprefix("http://")

    def embed(element: bytes) -> NDArray[np.float32]:
        return by_tritonclient(tritonclient.http, http, "minilm", [element])

    with ThreadPoolExecutor(16) as callers:
        good = [callers.submit(embed, f"text {n}".encode()) for n in range(12)]
        bad = [callers.submit(embed, b"broken \xff") for _ in range(4)]
        assert [future.result().shape for future in good] == [(1, 384)] * 12
        for future in bad:
            with pytest.raises(InferenceServerException, match="text 0 is not UTF-8: byte 7 is"):
                future.result()


def test_the_encoder_answers_on_its_own(client: Client) -> None:
    """Somebody may have token ids already."""
    ids = np.array([[101, 7592, 102]], np.int64)
    alone = client.infer("minilm_encoder", {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    through = client.infer("minilm", {"text": ["hello"]})
    assert cosine(alone["embedding"], through["embedding"]).min() >= 0.99999
