"""Tiny transformers with random weights, and what their own library says of them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from tritonkit.export.network import Network
from tritonkit.export.samples.samples import Samples
from tritonkit.export.samples.texts import TEXTS
from tritonkit.export.sources.hugging_face.read import read_hugging_face
from tritonkit.export.sources.source import Converted
from tritonkit.export.sources.texts.text import TextSource

LENGTH = 64
LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC")


Pair = tuple[TextSource, Converted]


def wordpiece() -> tuple[Tokenizer, dict[str, str]]:
    """As BERT has it, lower-casing."""
    special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=900, special_tokens=list(special.values()), show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer, {f"{key}_token": token for key, token in special.items()}


def byte_level() -> tuple[Tokenizer, dict[str, str]]:
    """As RoBERTa has it: bytes, and padding with id 1."""
    special = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=list(special.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer, {f"{key}_token": token for key, token in special.items()}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """
    Makes the folder of a tiny model with random weights.

    `tiny("bert", "BertForMaskedLM", num_hidden_layers=1)`: a model type of transformers,
    its class, and changes to its config.
    """
    import torch
    import transformers

    def make(model_type: str, architecture: str, **changes: Any) -> Path:
        roberta = "roberta" in model_type
        tokenizer, special = byte_level() if roberta else wordpiece()
        folder = tmp_path_factory.mktemp(model_type) / "model"
        settings: dict[str, Any] = {
            "vocab_size": tokenizer.get_vocab_size(),
            "pad_token_id": tokenizer.token_to_id(special["pad_token"]),
            "max_position_embeddings": LENGTH + 2 if roberta else LENGTH,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 48,
            # Far from uniform, so that answers differ by more than rounding.
            "initializer_range": 0.2,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(7)
            config = transformers.AutoConfig.for_model(model_type, **(settings | changes))
            model = getattr(transformers, architecture)(config).eval()
            model.save_pretrained(folder)
            fast = transformers.PreTrainedTokenizerFast(
                tokenizer_object=tokenizer,
                model_input_names=["input_ids", "attention_mask"],
                **special,
            )
            fast.model_max_length = LENGTH
            fast.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def pipeline() -> Callable[..., Any]:
    """Transformers' own pipeline over a folder."""
    import transformers

    def make(task: str, folder: Path, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return transformers.pipeline(task, str(folder), device="cpu", **options)

    return make


@pytest.fixture(scope="session")
def convert(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Converted]:
    """Converts a source, over samples of its own."""

    def make(source: TextSource) -> Converted:
        samples = source.builtin_samples()
        assert samples is not None
        return source.convert(tmp_path_factory.mktemp("converted"), samples)

    return make


def _made(folder: Path, convert: Callable[[TextSource], Converted]) -> Pair:
    source = read_hugging_face(str(folder))
    assert isinstance(source, TextSource)
    return source, convert(source)


@pytest.fixture(scope="session")
def classifier(tiny: Callable[..., Path], convert: Callable[..., Converted]) -> Pair:
    folder = tiny(
        "distilbert",
        "DistilBertForSequenceClassification",
        dim=32,
        hidden_dim=48,
        n_layers=2,
        n_heads=2,
        id2label={0: "bad", 1: "so-so", 2: "schön"},
    )
    return _made(folder, convert)


@pytest.fixture(scope="session")
def token_classifier(tiny: Callable[..., Path], convert: Callable[..., Converted]) -> Pair:
    return _made(
        tiny("bert", "BertForTokenClassification", id2label=dict(enumerate(LABELS))), convert
    )


@pytest.fixture(scope="session")
def mask_filler(tiny: Callable[..., Path], convert: Callable[..., Converted]) -> Pair:
    return _made(tiny("roberta", "RobertaForMaskedLM"), convert)


@pytest.fixture(scope="session")
def features(tiny: Callable[..., Path], convert: Callable[..., Converted]) -> Pair:
    return _made(tiny("roberta", "RobertaModel"), convert)


@pytest.fixture(scope="session")
def finish(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Finishes a converted graph."""

    def make(source: TextSource, converted: Converted) -> Path:
        finished = tmp_path_factory.mktemp("finished") / "model.onnx"
        onnx.save(source.finish(onnx.load(str(converted.graph))), str(finished))
        return finished

    return make


@pytest.fixture(scope="session")
def network(finish: Callable[..., Path]) -> Callable[..., Network]:
    """Finishes a converted graph and loads it."""

    def make(source: TextSource, converted: Converted) -> Network:
        return Network(source, finish(source, converted), threads=1)

    return make


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Path]:
    """Copies a folder with changes to the keys of its config.json; None takes one away."""

    def make(folder: Path, **changes: Any) -> Path:
        copy = tmp_path / "changed"
        copy.mkdir()
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        config = json.loads((copy / "config.json").read_text()) | changes
        config = {key: value for key, value in config.items() if value is not None}
        (copy / "config.json").write_text(json.dumps(config))
        return copy

    return make


@pytest.fixture(scope="session")
def samples() -> Samples:
    """All built-in texts."""
    return Samples({"text": np.array(TEXTS, dtype=np.object_)}, "built-in")
