"""A plain transformers folder: its task, and what export must know of it for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.classes import Activation
from tritonkit.export.json_file import value_of
from tritonkit.export.sources.hugging_face.class_names import class_names
from tritonkit.export.sources.hugging_face.folder import (
    digest_folders,
    read_config,
    require_safetensors,
)
from tritonkit.export.sources.texts.feature_extractor import FeatureExtractor
from tritonkit.export.sources.texts.mask_filler import MaskFiller
from tritonkit.export.sources.texts.text import TextSource
from tritonkit.export.sources.texts.text_classifier import TextClassifier, TextScorer
from tritonkit.export.sources.texts.token_classifier import TokenClassifier
from tritonkit.export.sources.texts.tokenizer_files import longest_input, special_token

__all__ = ["TEXT_TASKS", "read_transformers", "task_of"]

_HEADS = {
    "ForMaskedLM": "fill-mask",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
}
TEXT_TASKS = ("feature-extraction", *_HEADS.values())
"""The tasks of a plain transformers folder, by their names on the hub."""

_GENERATORS = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
# Encoders that read input_ids and attention_mask and have a fast tokenizer, each tried.
_MODEL_TYPES = (
    "albert",
    "bert",
    "camembert",
    "convbert",
    "data2vec-text",
    "deberta",
    "deberta-v2",
    "distilbert",
    "electra",
    "megatron-bert",
    "mobilebert",
    "modernbert",
    "mpnet",
    "rembert",
    "roberta",
    "roformer",
    "squeezebert",
    "xlm-roberta",
)
# The same under the name that each family has for it.
_SIZES = ("hidden_size", "dim")


def read_transformers(
    folder: Path, *, task: str | None = None, path: str = "", revision: str = ""
) -> TextSource:
    """
    Read a folder as `save_pretrained` of a model and its tokenizer writes it.

    Args:
        folder: The folder, with config.json, tokenizer.json and .safetensors.
        task: One of TEXT_TASKS; None for that of the architecture.
        path: What the user named, where it is not the folder.
        revision: The commit on the hub, if it comes from there.

    Raises:
        ConfigError: If it is one that export cannot convert; the message names what
            is in the way and what would work.
        MissingExtra: If `tokenizers` is not installed.
    """
    folder = folder.resolve()
    path = path or str(folder)
    config = read_config(folder)
    file = folder / "config.json"
    task = task_of(config, file, task)
    model_type = config.get("model_type")
    if model_type not in _MODEL_TYPES:
        raise ConfigError(
            f"{file}: export does not convert the model type {model_type!r} for {task}; "
            f"these work: {', '.join(_MODEL_TYPES)}."
        )
    _, pad_id = special_token(folder, "pad_token", "[PAD]", what="padding")
    max_length = longest_input(folder, config, pad_id)
    if max_length is None:
        raise ConfigError(
            f"{folder}: the longest input is unknown; write model_max_length into "
            "tokenizer_config.json."
        )
    require_safetensors(folder)
    common: dict[str, Any] = {
        "path": path,
        "name": Path(path).name,
        "digest": digest_folders([folder], task),
        "folder": folder,
        "transformer": folder,
        "tokenizer": folder / "tokenizer.json",
        "max_length": max_length,
        "pad_id": pad_id,
        "revision": revision,
    }
    if task == "fill-mask":
        mask_token, mask_id = special_token(folder, "mask_token", "[MASK]", what="mask")
        size = _number(config, file, "vocab_size")
        return MaskFiller(**common, mask_token=mask_token, mask_id=mask_id, vocabulary_size=size)
    if task == "token-classification":
        return TokenClassifier(**common, classes=class_names(config, file))
    if task == "text-classification":
        return _text_classifier(config, file, common)
    return FeatureExtractor(**common, size=_number(config, file, *_SIZES))


def task_of(config: dict[str, Any], file: Path, wanted: str | None) -> str:
    """
    The task to convert for.

    Args:
        config: What config.json holds.
        file: The config.json, for the error.
        wanted: The task that the user named.

    Raises:
        ConfigError: If it is none of TEXT_TASKS, or the model has no head for it.
    """
    if wanted is not None and wanted not in TEXT_TASKS:
        raise ConfigError(
            f"export does not convert for the task {wanted!r}; of a folder with {file.name} "
            f"it takes {', '.join(TEXT_TASKS)}, image-classification, and sentence-similarity "
            "where sentence-transformers wrote it."
        )
    listed = value_of(config, "architectures", list, file=file) or []
    architecture = str(listed[0]) if listed else ""
    if architecture.endswith(_GENERATORS):
        raise ConfigError(
            f"{file}: {architecture} generates text, token by token, and export writes models that "
            "answer in one run; Triton's vLLM and TensorRT-LLM backends serve such models."
        )
    own = next((task for head, task in _HEADS.items() if architecture.endswith(head)), None)
    if own is None and architecture.endswith("Model"):
        own = "feature-extraction"
    if wanted in (own, "feature-extraction") and wanted is not None:
        return wanted
    if wanted is not None:
        raise ConfigError(
            f"{file}: {architecture or 'a model without architectures'} has no head for {wanted}; "
            f"{' or '.join(dict.fromkeys([own or 'feature-extraction', 'feature-extraction']))} "
            "would work."
        )
    if own is None:
        raise ConfigError(
            f"{file}: export does not convert the architecture {architecture or 'null'}; it "
            f"converts those that end in {', '.join(_HEADS)} or Model, and what is under any head "
            "for the task feature-extraction."
        )
    return own


def _text_classifier(config: dict[str, Any], file: Path, common: dict[str, Any]) -> TextSource:
    """As transformers' own pipeline chooses between classes, several at once, and a number."""
    classes = class_names(config, file)
    problem = value_of(config, "problem_type", str, file=file)
    if len(classes) == 1 or problem == "regression":
        if len(classes) > 1:
            raise ConfigError(
                f"{file}: export converts a regression of one output, but this has {len(classes)}."
            )
        score: Activation = "none" if problem == "regression" else "sigmoid"
        return TextScorer(**common, activation=score)
    several = problem == "multi_label_classification"
    activation: Activation = "sigmoid" if several else "softmax"
    return TextClassifier(**common, classes=classes, activation=activation)


def _number(config: dict[str, Any], file: Path, *keys: str) -> int:
    values = [value_of(config, key, int, file=file) for key in keys]
    number = next((value for value in values if value is not None), None)
    if number is None or number < 1:
        raise ConfigError(f"{file} must give {' or '.join(keys)}, but got {number!r}.")
    return int(number)
