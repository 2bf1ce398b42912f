"""Converted, finished, and compared with transformers' own pipelines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.samples.texts import TEXTS
from tritonkit.export.sources.hugging_face.read import read_hugging_face
from tritonkit.export.sources.source import Converted
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.sources.texts.text import TextSource
from tritonkit.export.spans.aggregate import find_spans

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC")
Pair = tuple[TextSource, Converted]


def agree(network: Network, source: TextSource, converted: Converted, tolerance: float) -> None:
    """The finished graph and the source's own library, over all samples."""
    samples = source.builtin_samples()
    assert samples is not None
    answers = network.answer(samples)
    assert answers.keys() == converted.reference.keys()
    for name, rows in converted.reference.items():
        assert len(rows) == len(samples)
        for row, expected in zip(answers[name], rows, strict=True):
            assert row.shape == expected.shape
            if expected.dtype == np.object_:
                assert row.tolist() == expected.tolist()
            else:
                np.testing.assert_allclose(row, expected, atol=tolerance)


def test_minilm_gives_its_own_embeddings(
    minilm: Path, minilm_converted: Converted, network: Callable[..., Network]
) -> None:
    """Also one at a time, and so padded otherwise."""
    source, converted = SentenceTransformer.read(minilm), minilm_converted
    samples = source.builtin_samples()
    assert samples is not None
    reference = np.stack(converted.reference["embedding"])
    assert reference.shape == (len(TEXTS), 384)
    made = network(source, converted)
    for batch_size in (16, 1):
        answers = made.answer(samples, batch_size=batch_size)
        cosines = (np.stack(answers["embedding"]) * reference).sum(axis=1)
        assert cosines.min() >= 0.9999


def test_a_converted_graph_is_one_that_stages_and_old_servers_read(
    classifier: Pair, token_classifier: Pair, mask_filler: Pair, features: Pair
) -> None:
    """Opset 17, no token types, and the model's own output, behind which finish goes on."""
    outputs = ("logits", "logits", "logits", "last_hidden_state")
    every = (classifier, token_classifier, mask_filler, features)
    for (_, converted), output in zip(every, outputs, strict=True):
        model = onnx.load(str(converted.graph))
        assert {entry.domain: entry.version for entry in model.opset_import}[""] == 17
        assert model.ir_version <= 10
        assert [tensor.name for tensor in model.graph.input] == ["input_ids", "attention_mask"]
        assert [tensor.name for tensor in model.graph.output] == [output]


def test_every_conversion_agrees_with_its_source(
    classifier: Pair,
    token_classifier: Pair,
    mask_filler: Pair,
    features: Pair,
    network: Callable[..., Network],
) -> None:
    for source, converted in (classifier, token_classifier, mask_filler, features):
        agree(network(source, converted), source, converted, 1e-5)


def test_probabilities_and_labels_are_the_pipelines(
    classifier: Pair,
    network: Callable[..., Network],
    pipeline: Callable[..., Any],
    samples: Samples,
) -> None:
    source, converted = classifier
    answers = network(source, converted).answer(samples)
    pipe = pipeline("text-classification", source.folder)
    for text, label, row in zip(TEXTS, answers["label"], answers["probabilities"], strict=True):
        expected = pipe(text, top_k=None, truncation=True)
        assert label.tolist() == [expected[0]["label"]]
        found = dict(zip(source.labels, row.tolist(), strict=True))
        assert found == pytest.approx({one["label"]: one["score"] for one in expected}, abs=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"problem_type": "multi_label_classification"},
        {"id2label": {"0": "score"}},
        {"id2label": {"0": "score"}, "problem_type": "regression"},
    ],
)
def test_other_problems_are_scored_as_the_pipeline_does(
    changes: dict[str, Any],
    tiny: Callable[..., Path],
    changed: Callable[..., Path],
    pipeline: Callable[..., Any],
) -> None:
    """By the source's own answers; that a graph ends in the same, test_classes shows."""
    count = len(changes.get("id2label", LABELS))
    folder = tiny("bert", "BertForSequenceClassification", num_labels=count, num_hidden_layers=1)
    source = read_hugging_face(str(changed(folder, **changes)))
    assert isinstance(source, TextSource)
    texts = [text for text in TEXTS if text.strip()][:8]
    pipe = pipeline("text-classification", source.folder)
    for text, row in zip(texts, source.answer_with_torch(texts)[source.judged], strict=True):
        expected = [one["score"] for one in pipe(text, top_k=None, truncation=True)]
        np.testing.assert_allclose(np.sort(row)[::-1], expected, atol=1e-5)


def test_spans_are_the_pipelines(
    token_classifier: Pair,
    network: Callable[..., Network],
    pipeline: Callable[..., Any],
    samples: Samples,
) -> None:
    source, converted = token_classifier
    offsets = source.prepare(samples)["offsets"]
    answers = network(source, converted).answer(samples)["probabilities"]
    pipe = pipeline("token-classification", source.folder, aggregation_strategy="simple")
    spans = 0
    for text, rows, places in zip(TEXTS, answers, offsets, strict=True):
        found = find_spans(text, places[: len(rows)], rows, source.labels)
        # The pipeline takes no empty text.
        expected = pipe(text) if text else []
        assert [(s["start"], s["end"], s["label"]) for s in found] == [
            (s["start"], s["end"], s["entity_group"]) for s in expected
        ]
        np.testing.assert_allclose(
            [s["score"] for s in found], [s["score"] for s in expected], atol=1e-5
        )
        spans += len(found)
    assert spans > len(TEXTS)


def test_the_likeliest_tokens_are_the_pipelines(
    mask_filler: Pair, network: Callable[..., Network], pipeline: Callable[..., Any]
) -> None:
    source, converted = mask_filler
    assert source.pad_id == 1
    texts = ["The <mask> is closed on Mondays.", "<mask>", "視野<mask>限廣", "É <mask> 🚀"]
    samples = Samples({"text": np.array(texts, dtype=np.object_)}, "test")
    answers = network(source, converted).answer(samples)
    pipe = pipeline("fill-mask", source.folder)
    for text, tokens, scores in zip(texts, answers["tokens"], answers["scores"], strict=True):
        expected = pipe(text)
        assert tokens.tolist() == [one["token_str"] for one in expected]
        np.testing.assert_allclose(scores, [one["score"] for one in expected], atol=1e-5)


def test_features_are_the_pipelines_and_tell_padding(
    features: Pair,
    network: Callable[..., Network],
    pipeline: Callable[..., Any],
    samples: Samples,
) -> None:
    source, converted = features
    pipe = pipeline("feature-extraction", source.folder, tokenize_kwargs={"truncation": True})
    answers = network(source, converted).answer(samples)
    for text, rows in zip(TEXTS, answers["last_hidden_state"], strict=True):
        np.testing.assert_allclose(rows, np.array(pipe(text))[0], atol=1e-4)
    lengths = [len(rows) for rows in answers["last_hidden_state"]]
    (mask,) = source.passed_on
    assert source.prepare(samples)[mask].sum(axis=1).tolist() == lengths


def test_a_text_without_a_mask_is_refused_before_the_conversion(
    mask_filler: Pair, tmp_path: Path, samples: Samples
) -> None:
    with pytest.raises(ConfigError, match=r"sample '.*': it must hold <mask> once, but holds it 0"):
        mask_filler[0].convert(tmp_path, samples)
    assert not list(tmp_path.iterdir())


def test_samples_without_texts_are_refused(classifier: Pair) -> None:
    with pytest.raises(ConfigError, match="need a column 'text' of strings, but have 'age'"):
        classifier[0].prepare(Samples({"age": np.array([3])}, "test"))


def test_weights_that_are_missing_are_named(
    tiny: Callable[..., Path], changed: Callable[..., Path]
) -> None:
    """Transformers would draw them at random."""
    folder = changed(
        tiny("bert", "BertForMaskedLM", num_hidden_layers=1),
        architectures=["BertForTokenClassification"],
    )
    source = read_hugging_face(str(folder))
    assert isinstance(source, TextSource)
    with pytest.raises(SystemExit, match=r"changed has no weights for classifier\.bias, classif"):
        source.answer_with_torch(["text"])


def test_the_parts_of_a_token_classifier_fit_each_other(token_classifier: Pair) -> None:
    source, _ = token_classifier
    assert source.after is not None
    given = {*source.before.inputs, *source.before.outputs}
    wanted = set(source.after.inputs)
    assert {tensor.name for tensor in wanted - given} == {"probabilities"}
    assert json.loads(source.after.parameters["labels"]) == list(LABELS)
    assert source.after.files.keys() == {"model.py", "aggregate.py"}
