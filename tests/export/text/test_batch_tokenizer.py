from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tritonkit.export.tokenizer.batch import (
    BATCH_OF_ITS_OWN,
    BatchTokenizer,
    padded_length,
    read_texts,
)


@pytest.fixture(scope="module")
def tokenize(minilm: Path) -> BatchTokenizer:
    return BatchTokenizer(
        str(minilm / "tokenizer.json"), max_length=256, pad_id=0, pad_to_multiple_of=16
    )


def test_a_row_is_its_tokens_and_padding(tokenize: BatchTokenizer) -> None:
    ids, mask = tokenize(["hello world", "hello"]).values()
    assert ids.dtype == mask.dtype == np.int64
    assert ids.tolist() == [[101, 7592, 2088, 102] + [0] * 12, [101, 7592, 102] + [0] * 13]
    assert mask.tolist() == [[1] * 4 + [0] * 12, [1] * 3 + [0] * 13]


def test_all_texts_are_padded_to_one_bucket(tokenize: BatchTokenizer) -> None:
    ids, mask = tokenize(["hi", "word " * 20]).values()
    assert ids.shape == mask.shape == (2, 32)


def test_a_large_batch_is_padded_to_its_longest_text(tokenize: BatchTokenizer) -> None:
    rows = tokenize(["word " * 17] + ["hi"] * (BATCH_OF_ITS_OWN - 1))
    assert rows["input_ids"].shape == (BATCH_OF_ITS_OWN, 19)


def test_a_long_text_is_cut_to_the_models_length(tokenize: BatchTokenizer) -> None:
    ids, mask = tokenize(["many words " * 910]).values()
    assert ids.shape == (1, 256)
    assert ids[0, -1] == 102
    assert mask.all()


def test_the_empty_text_is_its_special_tokens(tokenize: BatchTokenizer) -> None:
    ids, mask = tokenize([""]).values()
    assert ids[0, :3].tolist() == [101, 102, 0]
    assert mask.sum() == 2


def test_no_texts_are_no_rows(tokenize: BatchTokenizer) -> None:
    ids, mask = tokenize([]).values()
    assert ids.shape[0] == mask.shape[0] == 0


def test_lower_case_is_applied_before_the_tokenizer(tmp_path: Path, minilm: Path) -> None:
    """For tokenizers that keep case; MiniLM's own normaliser is taken away for it."""
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    data = json.loads(tokenizer.to_str())
    data["normalizer"] = None
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(data))
    keeps = BatchTokenizer(str(file), max_length=16, pad_id=0)
    lowers = BatchTokenizer(str(file), max_length=16, pad_id=0, lower_case=True)
    assert keeps(["HELLO"])["input_ids"].tolist() != keeps(["hello"])["input_ids"].tolist()
    assert lowers(["HELLO"])["input_ids"].tolist() == keeps(["hello"])["input_ids"].tolist()


def test_offsets_are_characters_of_the_text_as_given(minilm: Path) -> None:
    """Not bytes, and not of the lowered text: a dotted capital I is two characters lowered."""
    tokenize = BatchTokenizer(str(minilm / "tokenizer.json"), max_length=16, pad_id=0, offsets=True)
    texts = ["İstanbul 視野 🚀 Café", "x"]
    rows = tokenize(texts)
    assert rows["offsets"].shape == (2, rows["input_ids"].shape[1], 2)
    assert rows["offsets"].dtype == np.int64
    found = [texts[0][a:b] for a, b in rows["offsets"][0] if a >= 0]
    assert "".join(found) == texts[0].replace(" ", "")
    assert "視" in found
    assert found[-1] == "Café"
    assert rows["offsets"][1].tolist() == [
        [-1, -1],
        [0, 1],
        [-1, -1],
        *[[-1, -1]] * (len(found) - 1),
    ]


def test_offsets_change_no_ids(minilm: Path, tokenize: BatchTokenizer) -> None:
    with_offsets = BatchTokenizer(
        str(minilm / "tokenizer.json"),
        max_length=256,
        pad_id=0,
        pad_to_multiple_of=16,
        offsets=True,
    )
    texts = ["", "Hello world", "many words " * 300]
    rows = with_offsets(texts)
    for name, array in tokenize(texts).items():
        np.testing.assert_array_equal(rows[name], array)


def test_a_text_without_the_needed_token_is_refused(minilm: Path) -> None:
    tokenizer = BatchTokenizer(
        str(minilm / "tokenizer.json"), max_length=8, pad_id=0, needed_token="[MASK]"
    )
    texts = ["a [MASK] here", "none", "[MASK] and [MASK]", "far " * 20 + "[MASK]"]
    refusals = [tokenizer.refusal(encoding) for encoding in tokenizer.encode(texts)]
    assert refusals == [
        "",
        "it must hold [MASK] once, but holds it 0 times",
        "it must hold [MASK] once, but holds it 2 times",
        "it must hold [MASK] once, but holds it 0 times within its first 8 tokens",
    ]


def test_without_a_needed_token_every_text_is_taken(tokenize: BatchTokenizer) -> None:
    assert [tokenize.refusal(encoding) for encoding in tokenize.encode(["", "[MASK]"])] == ["", ""]


@given(
    rows=st.integers(1, 64),
    longest=st.integers(0, 512),
    multiple=st.sampled_from([1, 4, 8, 16]),
    max_length=st.integers(3, 512),
)
def test_a_padded_length_holds_the_longest_row(
    rows: int, longest: int, multiple: int, max_length: int
) -> None:
    longest = min(longest, max_length)
    length = padded_length(rows, longest, multiple=multiple, max_length=max_length)
    assert max(longest, 1) <= length <= max_length
    assert length < longest + multiple or longest == 0
    if rows < BATCH_OF_ITS_OWN:
        assert length % multiple == 0 or length == max_length


def test_texts_are_read_from_a_string_tensor() -> None:
    array = np.array([["hé".encode()], [b""]], dtype=np.object_)
    assert read_texts(array) == ["hé", ""]


def test_an_element_that_is_not_utf8_is_named() -> None:
    array = np.array([[b"fine"], [b"ab\xff"]], dtype=np.object_)
    with pytest.raises(ValueError, match="text 1 is not UTF-8: byte 2 is 0xff"):
        read_texts(array)
