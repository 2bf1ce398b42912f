from __future__ import annotations

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
    ids, mask = tokenize(["hello world", "hello"])
    assert ids.dtype == mask.dtype == np.int64
    assert ids.tolist() == [[101, 7592, 2088, 102] + [0] * 12, [101, 7592, 102] + [0] * 13]
    assert mask.tolist() == [[1] * 4 + [0] * 12, [1] * 3 + [0] * 13]


def test_all_texts_are_padded_to_one_bucket(tokenize: BatchTokenizer) -> None:
    ids, mask = tokenize(["hi", "word " * 20])
    assert ids.shape == mask.shape == (2, 32)


def test_a_large_batch_is_padded_to_its_longest_text(tokenize: BatchTokenizer) -> None:
    ids, _ = tokenize(["word " * 17] + ["hi"] * (BATCH_OF_ITS_OWN - 1))
    assert ids.shape == (BATCH_OF_ITS_OWN, 19)


def test_a_long_text_is_cut_to_the_models_length(tokenize: BatchTokenizer) -> None:
    ids, mask = tokenize(["many words " * 910])
    assert ids.shape == (1, 256)
    assert ids[0, -1] == 102
    assert mask.all()


def test_the_empty_text_is_its_special_tokens(tokenize: BatchTokenizer) -> None:
    ids, mask = tokenize([""])
    assert ids[0, :3].tolist() == [101, 102, 0]
    assert mask.sum() == 2


def test_no_texts_are_no_rows(tokenize: BatchTokenizer) -> None:
    ids, mask = tokenize([])
    assert ids.shape[0] == mask.shape[0] == 0


def test_lower_case_is_applied_before_the_tokenizer(tmp_path: Path, minilm: Path) -> None:
    """For tokenizers that keep case; MiniLM's own normaliser is taken away for it."""
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    import json

    data = json.loads(tokenizer.to_str())
    data["normalizer"] = None
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(data))
    keeps = BatchTokenizer(str(file), max_length=16, pad_id=0)
    lowers = BatchTokenizer(str(file), max_length=16, pad_id=0, lower_case=True)
    assert keeps(["HELLO"])[0].tolist() != keeps(["hello"])[0].tolist()
    assert lowers(["HELLO"])[0].tolist() == keeps(["hello"])[0].tolist()


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
