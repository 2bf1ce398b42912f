from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tritonkit.export.serving import (
    BATCH_INVARIANT,
    encoder_model,
    encoder_name,
    ensemble_model,
    ensemble_name,
    model_digest,
    tokenizer_model,
    tokenizer_name,
)
from tritonkit.export.source import SentenceTransformer, read_source
from tritonkit.repository import Model


@pytest.fixture
def source(minilm: Path) -> SentenceTransformer:
    return read_source(minilm)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    file = tmp_path / "graph.onnx"
    file.write_bytes(b"graph")
    return file


def encoder(graph: Path, *, threads: int = 0, batch_invariant: bool = True) -> Model:
    return encoder_model(
        "m",
        "fp32",
        graph,
        dimension=384,
        max_batch_size=32,
        batch_invariant=batch_invariant,
        threads=threads,
    )


def test_the_name_is_what_clients_call() -> None:
    assert (ensemble_name("m", "fp32"), ensemble_name("m", "int8")) == ("m", "m_int8")
    assert (encoder_name("m", "fp32"), encoder_name("m", "int8")) == (
        "m_encoder",
        "m_int8_encoder",
    )
    assert tokenizer_name("m") == "m_tokenizer"


def test_the_tokenizer_brings_all_that_it_needs(source: SentenceTransformer) -> None:
    model = tokenizer_model("m", source, max_batch_size=32)
    assert set(model.versions[1]) == {"model.py", "batch.py", "tokenizer.json"}
    assert model.config.backend == "python"
    assert model.config.parameters["max_length"].string_value == "256"


def test_threads_are_the_servers_choice_unless_given(graph: Path) -> None:
    assert "intra_op_thread_count" not in encoder(graph).config.parameters
    parameters = encoder(graph, threads=2).config.parameters
    assert parameters["intra_op_thread_count"].string_value == "2"


def test_the_ensemble_says_what_its_encoder_says(source: SentenceTransformer, graph: Path) -> None:
    tokenizer = tokenizer_model("m", source, max_batch_size=32)
    for invariant in (True, False):
        part = encoder(graph, batch_invariant=invariant)
        config = ensemble_model("m", "fp32", tokenizer, part, {}).config
        assert config.parameters[BATCH_INVARIANT].string_value == str(invariant).lower()
        assert config.max_batch_size == 32


def test_the_digest_follows_the_graph_and_the_tokenizer(
    source: SentenceTransformer, graph: Path
) -> None:
    def digest(source: SentenceTransformer) -> str:
        tokenizer = tokenizer_model("m", source, max_batch_size=32)
        return model_digest(ensemble_model("m", "fp32", tokenizer, encoder(graph), {}).config)

    first = digest(source)
    assert len(first) == 64
    assert digest(source) == first
    shorter = digest(replace(source, max_length=128))
    graph.write_bytes(b"another graph")
    assert len({first, shorter, digest(source)}) == 3
