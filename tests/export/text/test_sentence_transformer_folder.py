from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tritonkit.errors import ConfigError
from tritonkit.export.sources.texts.sentence_transformer import SentenceTransformer


def test_minilm_is_read(minilm: Path) -> None:
    source = SentenceTransformer.read(minilm)
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
    digest = SentenceTransformer.read(made).digest
    (made / "README.md").write_text("another text")
    assert SentenceTransformer.read(made).digest == digest
    (made / "model.safetensors").write_bytes(bytes([3, *bytes(7)]) + b"{ }")
    assert SentenceTransformer.read(made).digest != digest


def test_the_digest_does_not_follow_the_place(folder: Callable[..., Path], tmp_path: Path) -> None:
    made = folder()
    digest = SentenceTransformer.read(made).digest
    moved = made.rename(tmp_path / "elsewhere")
    assert SentenceTransformer.read(moved).digest == digest


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
    assert SentenceTransformer.read(folder(pooling=pooling)).pooling == mode


def test_normalisation_is_a_module_that_may_be_absent(folder: Callable[..., Path]) -> None:
    assert not SentenceTransformer.read(folder(modules=["Transformer", "Pooling"])).normalize


def test_without_its_own_limit_the_smaller_of_model_and_tokenizer_counts(
    folder: Callable[..., Path],
) -> None:
    source = SentenceTransformer.read(
        folder(text={"max_seq_length": None}, tokenizer={"model_max_length": 1e30})
    )
    assert source.max_length == 512


def test_a_limit_of_none_is_no_limit(folder: Callable[..., Path]) -> None:
    source = SentenceTransformer.read(
        folder(text={"max_seq_length": None}, config={"max_position_embeddings": -1})
    )
    assert source.max_length == 512


TEXT_CONFIGS = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
]


@pytest.mark.parametrize("name", TEXT_CONFIGS)
def test_older_names_of_the_settings_are_read(folder: Callable[..., Path], name: str) -> None:
    made = folder()
    (made / "sentence_bert_config.json").unlink()
    (made / name).write_text('{"max_seq_length": 77, "do_lower_case": true}')
    source = SentenceTransformer.read(made)
    assert source.max_length == 77
    assert source.lower_case


def test_the_first_settings_that_are_not_empty_count(folder: Callable[..., Path]) -> None:
    """As sentence-transformers does."""
    made = folder()
    (made / "sentence_bert_config.json").write_text("{}")
    for length, name in enumerate(TEXT_CONFIGS[1:], start=70):
        (made / name).write_text(json.dumps({"max_seq_length": length}))
    assert SentenceTransformer.read(made).max_length == 70


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modules": ["Transformer", "Pooling", "Dense"]}, "found Dense among"),
        ({"modules": ["Transformer"]}, "in this order, but found Transformer"),
        ({"modules": ["Pooling", "Transformer"]}, "found Pooling, Transformer"),
        ({"pooling": {"pooling_mode": "lasttoken"}}, "out of cls, max, mean, but found lasttoken"),
        ({"pooling": {"pooling_mode_cls_token": True}}, "found cls with mean"),
        ({"pooling": {"pooling_mode_mean_tokens": False}}, "but found none"),
        (
            {"pooling": {"word_embedding_dimension": "big"}},
            'word_embedding_dimension must be a whole number, but got "big"',
        ),
        ({"pooling": {"word_embedding_dimension": None}}, "dimension, but got None"),
        ({"pooling": {"word_embedding_dimension": True}}, "but got true"),
        ({"pooling": {"pooling_mode_max_tokens": "no"}}, 'true or false, but got "no"'),
        ({"pooling": {"pooling_mode": [1]}}, "out of cls, max, mean, but found 1"),
        ({"pooling": {"pooling_mode": 5}}, "pooling_mode must be a string or a list, but got 5"),
        ({"text": {"max_seq_length": "256"}}, 'max_seq_length must be a whole .*, but got "256"'),
        ({"text": {"max_seq_length": 2}}, "max_seq_length must be 3 to 1000000 .*, but got 2"),
        ({"text": {"do_lower_case": "no"}}, 'do_lower_case must be true or false, but got "no"'),
        ({"tokenizer": {"pad_token": 5}}, "pad_token must be a string or an object, but got 5"),
        ({"tokenizer": {"pad_token": {"content": 5}}}, "content must be a string, but got 5"),
        ({"tokenizer": {"pad_token": {"x": 5}}}, "no padding token None"),
        (
            {"text": {"max_seq_length": None}, "tokenizer": {"model_max_length": "long"}},
            'model_max_length must be a number .*, but got "long"',
        ),
        (
            {"text": {"max_seq_length": None}, "config": {"max_position_embeddings": []}},
            r"max_position_embeddings must be a whole number, but got \[\]",
        ),
        ({"prompts": {"default_prompt_name": "query"}}, "default prompt 'query'.*in front"),
        ({"config": {"auto_map": {"AutoModel": "x.Y"}}}, "code of its own"),
        ({"tokenizer": {"pad_token": "<none>"}}, "no padding token '<none>'"),
        (
            {
                "text": {"max_seq_length": None},
                "config": {"max_position_embeddings": None},
                "tokenizer": {"model_max_length": float("inf")},
            },
            "longest input is unknown",
        ),
    ],
)
def test_what_cannot_be_converted_is_refused_by_name(
    folder: Callable[..., Path], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        SentenceTransformer.read(folder(**changes))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("modules.json", "not a sentence-transformers folder.*save"),
        ("1_Pooling/config.json", "cannot be read: No such file"),
        ("tokenizer.json", r"is missing; .* lines write it:\n +from transformers import AutoTok"),
    ],
)
def test_a_missing_file_is_named(folder: Callable[..., Path], file: str, message: str) -> None:
    made = folder()
    (made / file).unlink()
    with pytest.raises(ConfigError, match=message):
        SentenceTransformer.read(made)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", b"{", "config.json is not JSON"),
        ("config.json", b"\xff\xfe", "config.json is not JSON"),
        ("config.json", b"[" * 100_000, "config.json is not JSON"),
        ("modules.json", b"{}", "modules.json must hold a list, but holds an object: {}"),
        ("modules.json", b"[]", "found none"),
        ("config.json", b"3", "/config.json must hold an object, but holds a whole number: 3"),
        ("1_Pooling/config.json", b"[]", "1_Pooling/config.json must hold an object"),
        ("sentence_bert_config.json", b"[]", "sentence_bert_config.json must hold an object"),
        ("tokenizer_config.json", b"null", "must hold an object, but holds null: null"),
        ("config_sentence_transformers.json", b'"x"', 'but holds a string: "x"'),
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
        SentenceTransformer.read(made)


def test_a_file_that_cannot_be_read_is_named(folder: Callable[..., Path]) -> None:
    made = folder()
    (made / "other.safetensors").mkdir()
    with pytest.raises(ConfigError, match=r"other\.safetensors cannot be read: Is a directory"):
        SentenceTransformer.read(made)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "holds no weights; export reads .safetensors"),
        (["pytorch_model.bin"], r"only as a pickle \(pytorch_model.bin\); .*save_pretrained"),
    ],
)
def test_weights_that_are_a_pickle_are_refused(
    folder: Callable[..., Path], files: list[str], message: str
) -> None:
    made = folder()
    (made / "model.safetensors").unlink()
    for file in files:
        (made / file).write_bytes(b"")
    with pytest.raises(ConfigError, match=message):
        SentenceTransformer.read(made)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes, but its header tells of 8; fetch it again"),
        (b"weights", "has 7 bytes, but its header tells of"),
        (b"\x40" + bytes(7) + b"{", "has 9 bytes, but its header tells of 72"),
        (
            b"\x24" + bytes(7) + b'{"x": {"data_offsets": [0, 400]}   }' + bytes(399),
            "has 443 bytes, but its header tells of 444",
        ),
        (b"\x02" + bytes(7) + b"[]", "is no .safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS"),
    ],
)
def test_weights_that_are_not_whole_are_refused(
    folder: Callable[..., Path], content: bytes, message: str
) -> None:
    made = folder()
    (made / "model.safetensors").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"model\.safetensors {message}"):
        SentenceTransformer.read(made)


def test_roberta_has_no_positions_for_padding(folder: Callable[..., Path]) -> None:
    made = folder(
        text={"max_seq_length": None},
        config={"model_type": "roberta", "max_position_embeddings": 514},
        tokenizer={"model_max_length": 1e30, "pad_token": "[unused0]"},
    )
    source = SentenceTransformer.read(made)
    assert source.pad_id == 1
    assert source.max_length == 512


def test_what_the_user_named_is_what_it_is_called(folder: Callable[..., Path]) -> None:
    made = folder()
    assert SentenceTransformer.read(made).name == "source"
    source = SentenceTransformer.read(made, path="owner/minilm", revision="c0ffee")
    assert (source.name, source.path, source.revision) == ("minilm", "owner/minilm", "c0ffee")
    assert source.notes == ("commit c0ffee of the hub",)
    assert SentenceTransformer.read(made).notes == ()


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent is not a folder"):
        SentenceTransformer.read(tmp_path / "absent")
