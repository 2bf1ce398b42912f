"""A local sentence-transformers folder: what export must know of it, and what it refuses."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["PoolingMode", "SentenceTransformer", "read_source"]

PoolingMode: TypeAlias = Literal["cls", "max", "mean"]
"""How token embeddings become one embedding, by sentence-transformers' names."""

_POOLING_MODES = ("cls", "max", "mean")
_LEGACY_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# What decides the embeddings. Weights of other frameworks may lie beside them.
_DIGESTED = ("*.json", "*.txt", "*.model", "*.safetensors", "*.bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceTransformer:
    """
    A text embedding model: transformer, pooling, perhaps L2 normalisation.

    Args:
        path: The folder with modules.json.
        transformer: The folder with the transformer's config.json and weights.
        tokenizer: The tokenizer.json.
        max_length: Longest input in tokens, special tokens included.
        pad_id: Token id that fills a row up; masked, so that it changes no answer.
        lower_case: Whether texts are lowered before the tokenizer sees them.
        pooling: How token embeddings become one.
        normalize: Whether embeddings have length 1.
        dimension: Size of an embedding.
        digest: sha256 over the files that decide the embeddings, 64 hex digits.
    """

    path: Path
    transformer: Path
    tokenizer: Path
    max_length: int
    pad_id: int
    lower_case: bool
    pooling: PoolingMode
    normalize: bool
    dimension: int
    digest: str


def read_source(path: Path) -> SentenceTransformer:
    """
    Read a sentence-transformers folder.

    Args:
        path: A folder as `SentenceTransformer.save` writes it.

    Raises:
        ConfigError: If it is none, or has a part that export cannot convert;
            the message names the part and what would work.
        MissingExtra: If `tokenizers` is not installed.
    """
    path = path.resolve()
    if not path.is_dir():
        raise ConfigError(f"{path} is not a folder; export takes a sentence-transformers folder.")
    modules = _modules(path)
    transformer = path / modules[0][1]
    pooling_config = _read_json(path / modules[1][1] / "config.json")
    config = _read_json(transformer / "config.json")
    if "auto_map" in config:
        raise ConfigError(
            f"{transformer / 'config.json'} names code of its own (auto_map), which export does "
            "not run; an architecture that transformers has itself would work."
        )
    _refuse_default_prompt(path)
    text_config = _read_json(transformer / "sentence_bert_config.json", missing={})
    tokenizer_config = _read_json(transformer / "tokenizer_config.json", missing={})
    tokenizer = transformer / "tokenizer.json"
    return SentenceTransformer(
        path=path,
        transformer=transformer,
        tokenizer=tokenizer,
        max_length=_max_length(path, text_config, config, tokenizer_config),
        pad_id=_pad_id(tokenizer, tokenizer_config),
        lower_case=bool(text_config.get("do_lower_case", False)),
        pooling=_pooling_mode(pooling_config, path / modules[1][1]),
        normalize=len(modules) == 3,
        dimension=_dimension(pooling_config, path / modules[1][1]),
        digest=_digest([path, transformer, path / modules[1][1]]),
    )


def _modules(path: Path) -> list[tuple[str, str]]:
    """(class name, folder) of each module; checked to be a chain that export can convert."""
    file = path / "modules.json"
    if not file.is_file():
        raise ConfigError(
            f"{path} has no modules.json, so it is not a sentence-transformers folder; "
            "SentenceTransformer(NAME).save(FOLDER) writes one."
        )
    listed = _read_json(file)
    try:
        modules = [(str(m["type"]).rpartition(".")[2], str(m["path"])) for m in listed]
    except (TypeError, KeyError) as error:
        raise ConfigError(f"{file} must be a list of modules with a type and a path.") from error
    kinds = [kind for kind, _ in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        unknown = [k for k in kinds if k not in ("Transformer", "Pooling", "Normalize")]
        found = f"{unknown[0]} among {', '.join(kinds)}" if unknown else ", ".join(kinds) or "none"
        raise ConfigError(
            f"{file}: export converts the modules Transformer, Pooling and, if wanted, Normalize, "
            f"in this order, but found {found}."
        )
    return modules


def _pooling_mode(config: dict[str, Any], folder: Path) -> PoolingMode:
    mode = config.get("pooling_mode")
    modes = [mode] if isinstance(mode, str) else list(mode or [])
    if mode is None:
        modes = [name for key, name in _LEGACY_POOLING.items() if config.get(key)]
    if len(modes) != 1 or modes[0] not in _POOLING_MODES:
        raise ConfigError(
            f"{folder / 'config.json'}: export converts one pooling mode out of "
            f"{', '.join(_POOLING_MODES)}, but found {' with '.join(modes) or 'none'}."
        )
    return cast("PoolingMode", modes[0])


def _dimension(config: dict[str, Any], folder: Path) -> int:
    dimension = config.get("embedding_dimension", config.get("word_embedding_dimension"))
    if not isinstance(dimension, int) or dimension < 1:
        raise ConfigError(
            f"{folder / 'config.json'} must give the embedding's dimension, but got {dimension!r}."
        )
    return dimension


def _refuse_default_prompt(path: Path) -> None:
    file = path / "config_sentence_transformers.json"
    prompt = _read_json(file, missing={}).get("default_prompt_name")
    if prompt is not None:
        raise ConfigError(
            f"{file}: export cannot add the default prompt {prompt!r} to texts; "
            "set default_prompt_name to null and send texts with the prompt in front."
        )


def _max_length(
    path: Path, text: dict[str, Any], config: dict[str, Any], tokenizer: dict[str, Any]
) -> int:
    """As sentence-transformers has it: its own file, else the smaller of model and tokenizer."""
    own = text.get("max_seq_length")
    limits = [config.get("max_position_embeddings"), tokenizer.get("model_max_length")]
    known = [own] if own else [int(limit) for limit in limits if limit]
    length = min(known, default=0)
    # transformers writes 1e30 where a tokenizer has no limit.
    if not 3 <= length <= 1_000_000:
        raise ConfigError(
            f"{path}: the longest input is unknown; "
            "write max_seq_length into sentence_bert_config.json."
        )
    return length


def _pad_id(tokenizer: Path, config: dict[str, Any]) -> int:
    if not tokenizer.is_file():
        raise ConfigError(
            f"{tokenizer} is missing; AutoTokenizer.from_pretrained(FOLDER, use_fast=True)"
            ".save_pretrained(FOLDER) writes it for tokenizers that have a fast version."
        )
    tokenizers = require("tokenizers", extra="export")
    token = config.get("pad_token") or "[PAD]"
    token = token["content"] if isinstance(token, dict) else token
    try:
        loaded = tokenizers.Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # tokenizers raises nothing narrower
        raise ConfigError(f"{tokenizer} is no tokenizer: {error}.") from error
    pad_id = loaded.token_to_id(token)
    if pad_id is None:
        raise ConfigError(f"{tokenizer} has no padding token {token!r}.")
    return int(pad_id)


def _digest(folders: list[Path]) -> str:
    files = {file for folder in folders for pattern in _DIGESTED for file in folder.glob(pattern)}
    root = folders[0]
    total = hashlib.sha256()
    for file in sorted(files):
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        total.update(f"{digest}  {file.relative_to(root)}\n".encode())
    return total.hexdigest()


def _read_json(file: Path, *, missing: Any = None) -> Any:
    if missing is not None and not file.is_file():
        return missing
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON: {error}.") from error
