"""Text in, and labels, spans, words and features out, on a real tritonserver."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tritonkit.client import Client, InferResponse
from tritonkit.errors import RequestError
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.samples.texts import TEXTS
from tritonkit.export.serving.models import served_models
from tritonkit.export.sources.source import Converted
from tritonkit.export.sources.texts.text import TextSource
from tritonkit.export.spans.aggregate import find_spans
from tritonkit.repository import write_models
from tritonkit.server.testing import TritonServer

Pair = tuple[TextSource, Converted]


@pytest.fixture(scope="module")
def client(
    classifier: Pair,
    token_classifier: Pair,
    mask_filler: Pair,
    features: Pair,
    finish: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    triton_server_session: TritonServer,
) -> Iterator[Client]:
    repository = tmp_path_factory.mktemp("served") / "repository"
    every = {
        "sentiment": classifier,
        "entities": token_classifier,
        "words": mask_filler,
        "features": features,
    }
    for name, (source, converted) in every.items():
        graph = finish(source, converted)
        write_models(repository, served_models(source, graph, name=name, batch_invariant=True))
    with Client(triton_server_session(repository).http_url) as opened:
        yield opened


def one_by_one(client: Client, model: str, texts: list[str]) -> list[InferResponse]:
    """All at once, so that they meet in the batches of each part."""
    with ThreadPoolExecutor(8) as callers:
        return list(callers.map(lambda text: client.infer(model, {"text": [text]}), texts))


def test_a_classifier_answers_with_labels_and_probabilities(
    client: Client, classifier: Pair, network: Callable[..., Network], samples: Samples
) -> None:
    expected = network(*classifier).answer(samples)
    served = one_by_one(client, "sentiment", list(TEXTS))
    labels = [answer["label"][0, 0].decode() for answer in served]
    assert labels == [row[0] for row in expected["label"]]
    for answer, row in zip(served, expected["probabilities"], strict=True):
        np.testing.assert_allclose(answer["probabilities"][0], row, atol=1e-5)


def test_a_token_classifier_answers_with_spans(
    client: Client, token_classifier: Pair, network: Callable[..., Network], samples: Samples
) -> None:
    source, _ = token_classifier
    offsets = source.prepare(samples)["offsets"]
    probabilities = network(*token_classifier).answer(samples)["probabilities"]
    served = one_by_one(client, "entities", list(TEXTS))
    together = client.infer("entities", {"text": TEXTS[:8]})["spans"]
    assert together.shape == (8, 1)
    assert json.loads(together[3, 0]) == json.loads(served[3]["spans"][0, 0])
    for text, answer, places, rows in zip(TEXTS, served, offsets, probabilities, strict=True):
        found = json.loads(answer["spans"][0, 0])
        wanted = find_spans(text, places[: len(rows)], rows, source.labels)
        assert found == [{**span, "score": pytest.approx(span["score"])} for span in wanted]


def test_a_mask_filler_answers_with_words(
    client: Client, mask_filler: Pair, network: Callable[..., Network]
) -> None:
    source, _ = mask_filler
    samples = source.builtin_samples()
    assert samples is not None
    expected = network(*mask_filler).answer(samples)
    served = one_by_one(client, "words", list(samples.columns["text"]))
    tokens = [[token.decode() for token in answer["tokens"][0]] for answer in served]
    assert tokens == [row.tolist() for row in expected["tokens"]]
    for answer, row in zip(served, expected["scores"], strict=True):
        np.testing.assert_allclose(answer["scores"][0], row, atol=1e-5)


def test_features_come_with_their_mask(
    client: Client, features: Pair, network: Callable[..., Network], samples: Samples
) -> None:
    expected = network(*features).answer(samples)["last_hidden_state"]
    served = client.infer("features", {"text": TEXTS[:5]})
    tensors = (served["last_hidden_state"], served["attention_mask"])
    for tokens, mask, rows in zip(*tensors, expected[:5], strict=True):
        np.testing.assert_allclose(tokens[mask == 1], rows, atol=1e-4)


def test_a_text_that_cannot_be_answered_fails_alone(client: Client) -> None:
    """Also where it shares a batch with others, and with the words of what is wrong."""
    texts = ["It is <mask>.", "It is not.", "<mask> or <mask>?"] * 4

    def ask(text: str) -> str:
        try:
            return f"{len(client.infer('words', {'text': [text]})['tokens'][0])} tokens"
        except RequestError as error:
            return str(error)

    with ThreadPoolExecutor(len(texts)) as callers:
        answers = list(callers.map(ask, texts))
    for good, none, two in zip(answers[::3], answers[1::3], answers[2::3], strict=True):
        assert good == "5 tokens"
        assert "text 0: it must hold <mask> once, but holds it 0 times" in none
        assert "text 0: it must hold <mask> once, but holds it 2 times" in two


def test_one_text_of_several_is_named(client: Client) -> None:
    with pytest.raises(RequestError, match="text 1: it must hold <mask> once"):
        client.infer("words", {"text": ["It is <mask>.", "It is not."]})


def test_a_text_that_is_not_utf8_is_refused(client: Client) -> None:
    element = np.array([[b"broken \xff"]], dtype=np.object_)
    with pytest.raises(RequestError, match="text 0 is not UTF-8: byte 7 is 0xff"):
        client.infer("entities", {"text": element})
