"""Which folders of transformers export takes, and what it says of the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.sources.hugging_face.read import read_hugging_face
from tritonkit.export.sources.texts.feature_extractor import FeatureExtractor
from tritonkit.export.sources.texts.mask_filler import MaskFiller
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer
from tritonkit.export.sources.texts.text_classifier import TextClassifier, TextScorer
from tritonkit.export.sources.texts.token_classifier import TokenClassifier


@pytest.fixture(scope="module")
def masked(tiny: Callable[..., Path]) -> Path:
    return tiny("bert", "BertForMaskedLM", num_hidden_layers=1)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("BertForMaskedLM", MaskFiller),
        ("BertForSequenceClassification", TextClassifier),
        ("BertForTokenClassification", TokenClassifier),
        ("BertModel", FeatureExtractor),
    ],
)
def test_the_architecture_tells_the_task(
    masked: Path, changed: Callable[..., Path], architecture: str, expected: type
) -> None:
    folder = changed(masked, architectures=[architecture])
    source = read_hugging_face(str(folder))
    assert type(source) is expected
    assert source.path == str(folder)
    assert source.name == "changed"
    assert read_hugging_face(str(folder), task="feature-extraction").judged == "last_hidden_state"


@pytest.mark.parametrize(
    ("changes", "kind", "activation"),
    [
        ({}, TextClassifier, "softmax"),
        ({"problem_type": "single_label_classification"}, TextClassifier, "softmax"),
        ({"problem_type": "multi_label_classification"}, TextClassifier, "sigmoid"),
        ({"id2label": {"0": "relevance"}}, TextScorer, "sigmoid"),
        ({"id2label": {"0": "stars"}, "problem_type": "regression"}, TextScorer, "none"),
    ],
)
def test_the_problem_tells_how_scores_are_made(
    masked: Path, changed: Callable[..., Path], changes: dict[str, Any], kind: type, activation: str
) -> None:
    """As transformers' own pipeline does it."""
    folder = changed(masked, architectures=["BertForSequenceClassification"], **changes)
    source = read_hugging_face(str(folder))
    assert type(source) is kind
    assert isinstance(source, TextClassifier | TextScorer)
    assert source.activation == activation


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({"id2label": {"1": "yes", "0": "no"}}, ("no", "yes")),
        ({"id2label": {str(n): f"c{n}" for n in range(11)}}, tuple(f"c{n}" for n in range(11))),
        ({"id2label": None}, ("LABEL_0", "LABEL_1")),
        ({"id2label": None, "num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
    ],
)
def test_labels_stand_in_the_order_of_the_classes(
    masked: Path, changed: Callable[..., Path], changes: dict[str, Any], labels: tuple[str, ...]
) -> None:
    folder = changed(masked, architectures=["BertForSequenceClassification"], **changes)
    assert read_hugging_face(str(folder)).labels == labels


def test_a_sentence_transformer_is_known_by_its_modules(minilm: Path) -> None:
    assert isinstance(read_hugging_face(str(minilm)), SentenceTransformer)
    assert isinstance(
        read_hugging_face(str(minilm), task="sentence-similarity"), SentenceTransformer
    )
    features = read_hugging_face(str(minilm), task="feature-extraction")
    assert isinstance(features, FeatureExtractor)
    assert features.size == 384


def test_the_digest_follows_the_task(masked: Path) -> None:
    filler = read_hugging_face(str(masked))
    features = read_hugging_face(str(masked), task="feature-extraction")
    assert len(filler.digest) == 64
    assert filler.digest != features.digest


def test_a_samples_missing_mask_is_named(masked: Path) -> None:
    source = read_hugging_face(str(masked))
    filler = source.builtin_samples()
    assert filler is not None
    assert len(source.prepare(filler)["input_ids"]) == len(filler)


@pytest.mark.parametrize(
    ("changes", "task", "message"),
    [
        ({}, "summarization", "task 'summarization'.*takes feature-extraction, fill-mask"),
        (
            {},
            "text-classification",
            "BertForMaskedLM has no head for text-.*; fill-mask or feature",
        ),
        ({}, "sentence-similarity", "no modules.json.*sentence-transformers folder"),
        (
            {"architectures": None},
            "fill-mask",
            "without architectures has no head for fill-mask; feature-extraction would",
        ),
        ({"architectures": None}, None, "architecture null; it converts those that end in ForMask"),
        (
            {"architectures": ["BertForQuestionAnswering"]},
            None,
            "architecture BertForQuestionAnswering; .* under any head for the task feature-extr",
        ),
        ({"architectures": ["LlamaForCausalLM"]}, None, "LlamaForCausalLM generates.*TensorRT-LLM"),
        ({"architectures": ["GPT2LMHeadModel"]}, None, "GPT2LMHeadModel generates text"),
        (
            {"architectures": ["T5ForConditionalGeneration"]},
            "feature-extraction",
            "T5ForConditionalGeneration generates text",
        ),
        ({"architectures": 5}, None, "architectures must be a list, but got 5"),
        ({"model_type": "longformer"}, None, "type 'longformer' for fill-mask; these work: albert"),
        ({"auto_map": {"AutoModel": "x.Y"}}, None, "code of its own"),
        (
            {"architectures": ["BertForTokenClassification"], "id2label": {"1": "x"}},
            None,
            r"id2label must name classes from 0 on without a gap, but has \['1'\]",
        ),
        (
            {"architectures": ["BertForSequenceClassification"], "problem_type": "regression"},
            None,
            "regression of one output, but this has 2",
        ),
        ({"vocab_size": "many"}, None, 'vocab_size must be a whole number, but got "many"'),
        ({"hidden_size": None}, "feature-extraction", "must give hidden_size or dim, but got None"),
    ],
)
def test_what_cannot_be_converted_is_named_with_what_would_work(
    masked: Path,
    changed: Callable[..., Path],
    changes: dict[str, Any],
    task: str | None,
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_hugging_face(str(changed(masked, **changes)), task=task)


def test_a_missing_tokenizer_is_named_with_the_lines_that_make_one(
    masked: Path, changed: Callable[..., Path]
) -> None:
    folder = changed(masked)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"tokenizer.json is missing; .*\n  from transformers"):
        read_hugging_face(str(folder))


def test_a_tokenizer_without_a_mask_is_named(masked: Path, changed: Callable[..., Path]) -> None:
    folder = changed(masked)
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"mask_token": "<gap>"}))
    with pytest.raises(ConfigError, match="has no mask token '<gap>'"):
        read_hugging_face(str(folder))


def test_an_unknown_length_is_named(masked: Path, changed: Callable[..., Path]) -> None:
    folder = changed(masked, max_position_embeddings=None)
    (folder / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"write model_max_length into tokenizer_config\.json"):
        read_hugging_face(str(folder))


def test_pickled_weights_are_refused(masked: Path, changed: Callable[..., Path]) -> None:
    folder = changed(masked)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"only as a pickle \(pytorch_model.bin\)"):
        read_hugging_face(str(folder))


def test_what_is_neither_a_folder_nor_an_id_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (str(file), str(tmp_path / "absent"), "a/b/c"):
        with pytest.raises(ConfigError, match="neither a folder nor an id"):
            read_hugging_face(path)
