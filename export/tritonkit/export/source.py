"""A local sentence-transformers folder: what export must know of it, and what it refuses."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from tritonkit.errors import ConfigError
from tritonkit.export.json_file import read_json, value_of
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
# sentence-transformers reads the first of these that is there and not empty.
_TEXT_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# transformers writes 1e30 where a tokenizer has no limit.
_LENGTHS = range(3, 1_000_001)
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
    pooling = path / modules[1][1] / "config.json"
    pooling_config = read_json(pooling, dict)
    config = read_json(transformer / "config.json", dict)
    if "auto_map" in config:
        raise ConfigError(
            f"{transformer / 'config.json'} names code of its own (auto_map), which export does "
            "not run; an architecture that transformers has itself would work."
        )
    _refuse_default_prompt(path)
    text_file, text_config = _text_config(transformer)
    return SentenceTransformer(
        path=path,
        transformer=transformer,
        tokenizer=transformer / "tokenizer.json",
        max_length=_max_length(transformer, config),
        pad_id=_pad_id(transformer),
        lower_case=bool(value_of(text_config, "do_lower_case", bool, file=text_file)),
        pooling=_pooling_mode(pooling_config, pooling),
        normalize=len(modules) == 3,
        dimension=_dimension(pooling_config, pooling),
        digest=_digest([path, transformer, pooling.parent]),
    )


def _modules(path: Path) -> list[tuple[str, str]]:
    """(class name, folder) of each module; checked to be a chain that export can convert."""
    file = path / "modules.json"
    if not file.is_file():
        raise ConfigError(
            f"{path} has no modules.json, so it is not a sentence-transformers folder; "
            "SentenceTransformer(NAME).save(FOLDER) writes one."
        )
    listed = read_json(file, list)
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


def _pooling_mode(config: dict[str, Any], file: Path) -> PoolingMode:
    mode = value_of(config, "pooling_mode", str, list, file=file)
    if mode is None:
        modes = [
            name for key, name in _LEGACY_POOLING.items() if value_of(config, key, bool, file=file)
        ]
    else:
        modes = [mode] if isinstance(mode, str) else [str(one) for one in mode]
    if len(modes) != 1 or modes[0] not in _POOLING_MODES:
        raise ConfigError(
            f"{file}: export converts one pooling mode out of "
            f"{', '.join(_POOLING_MODES)}, but found {' with '.join(modes) or 'none'}."
        )
    return cast("PoolingMode", modes[0])


def _dimension(config: dict[str, Any], file: Path) -> int:
    dimension = value_of(config, "embedding_dimension", int, file=file)
    if dimension is None:
        dimension = value_of(config, "word_embedding_dimension", int, file=file)
    if dimension is None or dimension < 1:
        raise ConfigError(f"{file} must give the embedding's dimension, but got {dimension!r}.")
    return int(dimension)


def _refuse_default_prompt(path: Path) -> None:
    file = path / "config_sentence_transformers.json"
    prompt = read_json(file, dict, missing={}).get("default_prompt_name")
    if prompt is not None:
        raise ConfigError(
            f"{file}: export cannot add the default prompt {prompt!r} to texts; "
            "set default_prompt_name to null and send texts with the prompt in front."
        )


def _text_config(transformer: Path) -> tuple[Path, dict[str, Any]]:
    """sentence-transformers' own settings of a transformer, and the file that holds them."""
    for file in (transformer / name for name in _TEXT_CONFIGS):
        config = read_json(file, dict, missing={})
        if config:
            return file, config
    return transformer / _TEXT_CONFIGS[0], {}


def _max_length(transformer: Path, config: dict[str, Any]) -> int:
    """As sentence-transformers has it: its own setting, else what model and tokenizer take."""
    file, settings = _text_config(transformer)
    own = value_of(settings, "max_seq_length", int, file=file)
    if own is not None and own not in _LENGTHS:
        raise ConfigError(
            f"{file}: max_seq_length must be {_LENGTHS.start} to {_LENGTHS.stop - 1} tokens, "
            f"but got {own}."
        )
    model, tokenizer = transformer / "config.json", transformer / "tokenizer_config.json"
    limits = (
        value_of(config, "max_position_embeddings", int, file=model),
        value_of(
            read_json(tokenizer, dict, missing={}), "model_max_length", float, int, file=tokenizer
        ),
    )
    # -1 is "no limit" too.
    known = [int(x) for x in limits if x is not None and math.isfinite(x) and x > 0]
    length = min(known, default=0) if own is None else own
    if length not in _LENGTHS:
        raise ConfigError(
            f"{transformer}: the longest input is unknown; write max_seq_length into {file.name}."
        )
    return int(length)


def _pad_id(transformer: Path) -> int:
    tokenizer, file = transformer / "tokenizer.json", transformer / "tokenizer_config.json"
    if not tokenizer.is_file():
        raise ConfigError(
            f"{tokenizer} is missing; AutoTokenizer.from_pretrained(FOLDER, use_fast=True)"
            ".save_pretrained(FOLDER) writes it for tokenizers that have a fast version."
        )
    tokenizers = require("tokenizers", extra="export")
    config = read_json(file, dict, missing={})
    token = value_of(config, "pad_token", str, dict, file=file) or "[PAD]"
    if isinstance(token, dict):
        token = value_of(token, "content", str, file=file)
    try:
        loaded = tokenizers.Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # tokenizers raises nothing narrower
        raise ConfigError(f"{tokenizer} is no tokenizer: {error}.") from error
    pad_id = None if token is None else loaded.token_to_id(token)
    if pad_id is None:
        raise ConfigError(f"{tokenizer} has no padding token {token!r}.")
    return int(pad_id)


def _digest(folders: list[Path]) -> str:
    files = {file for folder in folders for pattern in _DIGESTED for file in folder.glob(pattern)}
    root = folders[0]
    total = hashlib.sha256()
    for file in sorted(files):
        try:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
        total.update(f"{digest}  {file.relative_to(root)}\n".encode())
    return total.hexdigest()
