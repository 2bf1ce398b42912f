"""What the files beside a tokenizer.json say of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.export.json_file import read_json, value_of
from tritonkit.extras import require

__all__ = ["LENGTHS", "longest_input", "read_tokenizer", "special_token"]

LENGTHS = range(3, 1_000_001)
"""Longest inputs that make sense: two special tokens and one more; 1e30 is "no limit"."""

# Their positions start behind the padding token's id.
_POSITIONS_AFTER_PADDING = (
    "camembert",
    "data2vec-text",
    "mpnet",
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
)


def read_tokenizer(folder: Path) -> Any:
    """
    Read the tokenizer.json in *folder*.

    Returns:
        A tokenizers.Tokenizer.

    Raises:
        ConfigError: If it is missing, with the two lines that write it, or broken.
        MissingExtra: If `tokenizers` is not installed.
    """
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ConfigError(
            f"{file} is missing; for tokenizers that have a fast version these lines write it:\n"
            "  from transformers import AutoTokenizer\n"
            "  AutoTokenizer.from_pretrained(FOLDER, use_fast=True).save_pretrained(FOLDER)"
        )
    tokenizers = require("tokenizers", extra="export")
    try:
        return tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises nothing narrower
        raise ConfigError(f"{file} is no tokenizer: {error}.") from error


def special_token(folder: Path, key: str, default: str, *, what: str) -> tuple[str, int]:
    """
    A special token and its id.

    Args:
        folder: Where tokenizer.json and tokenizer_config.json are.
        key: Its key in tokenizer_config.json, such as "pad_token".
        default: The token where tokenizer_config.json names none.
        what: What it is, for the error: "padding".

    Raises:
        ConfigError: If the tokenizer does not know it.
    """
    file = folder / "tokenizer_config.json"
    loaded = read_tokenizer(folder)
    token = value_of(read_json(file, dict, missing={}), key, str, dict, file=file) or default
    if isinstance(token, dict):
        token = value_of(token, "content", str, file=file)
    token_id = None if token is None else loaded.token_to_id(token)
    if token_id is None:
        raise ConfigError(f"{folder / 'tokenizer.json'} has no {what} token {token!r}.")
    return str(token), int(token_id)


def longest_input(folder: Path, config: dict[str, Any], pad_id: int) -> int | None:
    """
    Longest input in tokens that both model and tokenizer take; None where neither says.

    Args:
        folder: Where config.json and tokenizer_config.json are.
        config: What config.json holds.
        pad_id: Id of the padding token.

    Raises:
        ConfigError: If a limit is not a number.
    """
    model, tokenizer = folder / "config.json", folder / "tokenizer_config.json"
    positions = value_of(config, "max_position_embeddings", int, file=model)
    if positions is not None and config.get("model_type") in _POSITIONS_AFTER_PADDING:
        positions -= pad_id + 1
    limits = (
        positions,
        value_of(
            read_json(tokenizer, dict, missing={}), "model_max_length", float, int, file=tokenizer
        ),
    )
    # -1 is "no limit" too.
    known = [int(x) for x in limits if x is not None and math.isfinite(x) and x > 0]
    length = min(known, default=0)
    return length if length in LENGTHS else None
