"""A local sentence-transformers folder: what export must know of it, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tritonkit.errors import ConfigError
from tritonkit.export.graphs.pooling import OUTPUT, PoolingMode, append_pooling
from tritonkit.export.json_file import read_json, value_of
from tritonkit.export.sources.hugging_face.folder import (
    digest_folders,
    read_config,
    require_safetensors,
)
from tritonkit.export.sources.source import Answers
from tritonkit.export.sources.texts.encoder import encode_with_torch
from tritonkit.export.sources.texts.text import TextSource
from tritonkit.export.sources.texts.tokenizer_files import LENGTHS, longest_input, special_token
from tritonkit.extras import require

__all__ = ["SentenceTransformer"]

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


@dataclass(frozen=True, kw_only=True)
class SentenceTransformer(TextSource):
    """
    A text embedding model: transformer, pooling, perhaps L2 normalisation.

    Args:
        pooling: How token embeddings become one.
        normalize: Whether embeddings have length 1.
        dimension: Size of an embedding.
    """

    pooling: PoolingMode
    normalize: bool
    dimension: int

    kind = "sentence-transformers folder"
    comparison = "embeddings"
    judged = OUTPUT
    task = "sentence-similarity"

    @classmethod
    def read(cls, folder: Path, *, path: str = "", revision: str = "") -> SentenceTransformer:
        """
        Read a sentence-transformers folder.

        Args:
            folder: A folder as `SentenceTransformer.save` writes it.
            path: What the user named, where it is not the folder.
            revision: The commit on the hub, if it comes from there.

        Raises:
            ConfigError: If it is none, or has a part that export cannot convert;
                the message names the part and what would work.
            MissingExtra: If `tokenizers` is not installed.
        """
        folder = folder.resolve()
        path = path or str(folder)
        if not folder.is_dir():
            raise ConfigError(
                f"{folder} is not a folder; export takes a sentence-transformers folder."
            )
        modules = _modules(folder)
        transformer = folder / modules[0][1]
        pooling = folder / modules[1][1] / "config.json"
        pooling_config = read_json(pooling, dict)
        config = read_config(transformer)
        _refuse_default_prompt(folder)
        text_file, text_config = _text_config(transformer)
        _, pad_id = special_token(transformer, "pad_token", "[PAD]", what="padding")
        source = cls(
            path=path,
            name=Path(path).name,
            digest=digest_folders([folder, transformer, pooling.parent]),
            folder=folder,
            transformer=transformer,
            tokenizer=transformer / "tokenizer.json",
            max_length=_max_length(transformer, config, pad_id),
            pad_id=pad_id,
            lower_case=bool(value_of(text_config, "do_lower_case", bool, file=text_file)),
            revision=revision,
            pooling=_pooling_mode(pooling_config, pooling),
            normalize=len(modules) == 3,
            dimension=_dimension(pooling_config, pooling),
        )
        require_safetensors(transformer)
        return source

    def answer_with_torch(self, texts: Sequence[str]) -> Answers:
        """Embed as sentence-transformers does, from the same weights, without its package."""
        torch = require("torch", extra="export")
        embeddings: list[Any] = []
        for outputs, inputs in encode_with_torch(self, "AutoModel", texts):
            mask = inputs["attention_mask"].unsqueeze(-1)
            pooled = _pool(outputs.last_hidden_state, mask, self.pooling)
            if self.normalize:
                pooled = torch.nn.functional.normalize(pooled, dim=1)
            embeddings.extend(pooled.numpy())
        return {OUTPUT: embeddings}

    def finish(self, model: Any) -> Any:
        """Append pooling and normalisation, where the graph does not end in them already."""
        if [tensor.name for tensor in model.graph.output] == [OUTPUT]:
            return model
        return append_pooling(
            model, self.pooling, normalize=self.normalize, dimension=self.dimension
        )


def _pool(tokens: Any, mask: Any, mode: PoolingMode) -> Any:
    """In torch, unlike the graph's, so that one checks the other."""
    if mode == "cls":
        return tokens[:, 0]
    if mode == "max":
        return tokens.masked_fill(mask == 0, float("-inf")).max(dim=1).values
    return (tokens * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)


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


def _max_length(transformer: Path, config: dict[str, Any], pad_id: int) -> int:
    """As sentence-transformers has it: its own setting, else what model and tokenizer take."""
    file, settings = _text_config(transformer)
    own = value_of(settings, "max_seq_length", int, file=file)
    if own is not None and own not in LENGTHS:
        raise ConfigError(
            f"{file}: max_seq_length must be {LENGTHS.start} to {LENGTHS.stop - 1} tokens, "
            f"but got {own}."
        )
    length = longest_input(transformer, config, pad_id) if own is None else int(own)
    if length is None:
        raise ConfigError(
            f"{transformer}: the longest input is unknown; write max_seq_length into {file.name}."
        )
    return length
