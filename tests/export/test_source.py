from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.source import read_source


def test_minilm_is_read(minilm: Path) -> None:
    source = read_source(minilm)
    assert source.pooling == "mean"
    assert source.normalize
    assert source.dimension == 384
    # sentence_bert_config.json, where tokenizer.json says 128.
    assert source.max_length == 256
    assert source.pad_id == 0
    assert not source.lower_case
    assert len(source.digest) == 64


def test_the_digest_follows_the_files_that_decide(folder: Callable[..., Path]) -> None:
    made = folder()
    digest = read_source(made).digest
    (made / "README.md").write_text("another text")
    assert read_source(made).digest == digest
    (made / "model.safetensors").write_bytes(b"weights")
    assert read_source(made).digest != digest


def test_the_digest_does_not_follow_the_place(folder: Callable[..., Path], tmp_path: Path) -> None:
    made = folder()
    digest = read_source(made).digest
    moved = made.rename(tmp_path / "elsewhere")
    assert read_source(moved).digest == digest


@pytest.mark.parametrize(
    ("pooling", "mode"),
    [
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": ["max"]}, "max"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "cls"),
    ],
)
def test_old_and_new_pooling_files_are_read(
    folder: Callable[..., Path], pooling: dict[str, Any], mode: str
) -> None:
    assert read_source(folder(pooling=pooling)).pooling == mode


def test_normalisation_is_a_module_that_may_be_absent(folder: Callable[..., Path]) -> None:
    assert not read_source(folder(modules=["Transformer", "Pooling"])).normalize


def test_without_its_own_limit_the_smaller_of_model_and_tokenizer_counts(
    folder: Callable[..., Path],
) -> None:
    source = read_source(
        folder(text={"max_seq_length": None}, tokenizer={"model_max_length": 1e30})
    )
    assert source.max_length == 512


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modules": ["Transformer", "Pooling", "Dense"]}, "found Dense among"),
        ({"modules": ["Transformer"]}, "in this order, but found Transformer"),
        ({"modules": ["Pooling", "Transformer"]}, "found Pooling, Transformer"),
        ({"pooling": {"pooling_mode": "lasttoken"}}, "out of cls, max, mean, but found lasttoken"),
        ({"pooling": {"pooling_mode_cls_token": True}}, "found cls with mean"),
        ({"pooling": {"pooling_mode_mean_tokens": False}}, "but found none"),
        ({"pooling": {"word_embedding_dimension": "big"}}, "dimension, but got 'big'"),
        ({"prompts": {"default_prompt_name": "query"}}, "default prompt 'query'.*in front"),
        ({"config": {"auto_map": {"AutoModel": "x.Y"}}}, "code of its own"),
        ({"tokenizer": {"pad_token": "<none>"}}, "no padding token '<none>'"),
        (
            {
                "text": {"max_seq_length": None},
                "config": {"max_position_embeddings": None},
                "tokenizer": {"model_max_length": 1e30},
            },
            "longest input is unknown",
        ),
    ],
)
def test_what_cannot_be_converted_is_refused_by_name(
    folder: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_source(folder(**changes))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("modules.json", "not a sentence-transformers folder.*save"),
        ("1_Pooling/config.json", "cannot be read: No such file"),
        ("tokenizer.json", "is missing; AutoTokenizer"),
    ],
)
def test_a_missing_file_is_named(folder: Callable[..., Path], file: str, message: str) -> None:
    made = folder()
    (made / file).unlink()
    with pytest.raises(ConfigError, match=message):
        read_source(made)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", b"{", "config.json is not JSON"),
        ("config.json", b"\xff\xfe", "config.json is not JSON"),
        ("modules.json", b"{}", "found none"),
        ("modules.json", b"[1]", "must be a list of modules"),
        ("tokenizer.json", b"{}", "is no tokenizer"),
    ],
)
def test_a_broken_file_is_named(
    folder: Callable[..., Path], file: str, content: bytes, message: str
) -> None:
    made = folder()
    (made / file).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_source(made)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent is not a folder"):
        read_source(tmp_path / "absent")
