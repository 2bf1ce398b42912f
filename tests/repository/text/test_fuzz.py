"""Any bytes are read without a traceback or a hang, however many."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tritonkit.errors import RepositoryError
from tritonkit.repository import ModelConfig
from tritonkit.repository.text.document import Document
from tritonkit.repository.text.tokens import MOST_TOKENS

CONFIG = b"""\
# bl\xc3\xa9
name: "m" 'n\\n\\303\\251'
max_batch_size: 0x8
input [ { name: "x" data_type: TYPE_FP32 dims: [ -1, 16 ] }, < name: 'y'; optional: t > ]
parameters { key: "k" value: { string_value: "2" } },
dynamic_batching { priority_queue_policy { key: 1 value { max_queue_size: 4 } } }
sequence_batching { direct { minimum_slot_utilization: .5f } }
"""
PIECES = [b"{", b"}", b"[", b"]", b"<", b">", b":", b",", b";", b"-", b'"', b"'", b"#", b"\n",
          b"\\", b"\0", b"\xff", b"\xc3\xa9", b"input", b"dims", b"all", b"1", b"0x"]  # fmt: skip


def read(content: bytes) -> Document:
    document = Document.parse(content.decode("utf-8", "surrogateescape"), source="config.pbtxt")
    lines = content.count(b"\n") + 1
    assert document.config is None or not document.faults
    for fault in (*document.faults, *document.doubts):
        assert 1 <= fault.line <= lines
        assert fault.column >= 1
        assert len(fault.message) < 1000
        assert len(fault.triton) < 1000
    assert isinstance(document.partial, ModelConfig)
    assert document.place("input", 0, "dims", 1).line <= lines
    document.has("parameters", "k", "string_value")
    return document


def test_cut_off_anywhere() -> None:
    for end in range(len(CONFIG) + 1):
        read(CONFIG[:end])
        read(CONFIG[end:])


def test_a_byte_more_less_or_other() -> None:
    rng = random.Random(9)
    for at in range(len(CONFIG)):
        piece = rng.choice(PIECES)
        read(CONFIG[:at] + piece + CONFIG[at:])
        read(CONFIG[:at] + piece + CONFIG[at + 1 :])
        read(CONFIG[:at] + CONFIG[at + 1 :])


@seed(9)
@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES)).map(b"".join)))
def test_any_bytes(content: bytes) -> None:
    document = read(content)
    if document.config is not None and not document.doubts:
        assert document.config == text_format.Parse(content.decode(), ModelConfig())


@seed(9)
@settings(max_examples=100, deadline=None)
@given(st.text(st.characters()))
def test_any_text(text: str) -> None:
    """Lone surrogates too, which no file decodes to."""
    Document.parse(text, source="config.pbtxt")
    Document.parse(f"name: '{text}'", source="config.pbtxt")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{" * 100_000, "nested more than 100 deep"),
        (b"input {" * 100_000, "nested more than 100 deep"),
        (b"}" * 100_000, "more is wrong from here on"),
        (b"input [" * 100_000, "nested more than 100 deep"),
        (b"-" * (MOST_TOKENS + 1), "more than 500,000 words"),
        (b"\0 " * 100_000, "more is wrong from here on"),
        (b"max_batch_size: " + b"9" * 1_000_000, "but got 99999"),
        (b"max_batch_size: -0x" + b"f" * 1_000_000, "but got -0xfff"),
        (b"name: '" + b"\\" * 1_000_001 + b"'", "is not closed on its line"),
        (b"name: '" + b"\\q" * 100_000 + b"'", "more is wrong from here on"),
        (b"a" * 1_000_000 + b": 1", "ModelConfig has no field 'aaa"),
        (b"\xff" * 100_000, "more is wrong from here on"),
        (b"max_batch_size: 1 " * 10_000, "'max_batch_size' is given twice"),
        (b"\t" * 1_000_000 + b"x: 1 " * 300, "ModelConfig has no field 'x'"),
    ],
)
def test_of_any_size(content: bytes, told: str) -> None:
    document = read(content)
    faults = (*document.faults, *document.doubts)

    assert any(told in fault.message for fault in faults)
    assert len(faults) <= 202


@pytest.mark.parametrize(
    "content",
    [b"#" * 10_000_000, b"\n" * 10_000_000, b"name: '" + b"\\n" * 5_000_000 + b"'"],
)
def test_ten_megabytes_that_mean_something(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "config.pbtxt"
    file.write_bytes(content)

    assert Document.read(file).faults == ()


def test_a_file_that_no_configuration_fills_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "config.pbtxt"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)

    with pytest.raises(RepositoryError, match="is larger than 16 MiB"):
        Document.read(file)
