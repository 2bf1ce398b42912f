from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.export.card import Card, read_card, table
from tritonkit.export.verify import Agreement

CARD = Card(
    model="m_int8",
    precision="int8",
    source="minilm",
    source_digest="5" * 64,
    recipe="7" * 64,
    command="tritonkit export minilm",
    created="2026-01-01T00:00:00+00:00",
    size_bytes=22_900_000,
    times_smaller=3.944,
    agreement=Agreement(
        cosine_mean=0.99, cosine_min=0.97, batch_cosine_min=0.95, batch_invariant=False
    ),
    texts=54,
    texts_per_second=430.4,
    times_faster=2.349,
    batch_size=32,
    threads=0,
    machine={"processor": "a CPU", "cores": 2},
    versions={"onnxruntime": "1.32.0"},
    files={"m_int8_encoder/1/model.onnx": 22_900_000},
)


def test_a_card_survives_its_file(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(CARD.to_json())
    assert read_card(tmp_path / "card.json") == CARD


def test_no_card_is_none(tmp_path: Path) -> None:
    assert read_card(tmp_path / "card.json") is None


@pytest.mark.parametrize("content", ["{", '{"model": "m"}', "[]", '{"agreement": {"x": 1}}'])
def test_another_file_is_no_card(tmp_path: Path, content: str) -> None:
    (tmp_path / "card.json").write_text(content)
    with pytest.raises(RepositoryError, match=r"card\.json"):
        read_card(tmp_path / "card.json")


def test_a_card_of_another_version_is_no_card(tmp_path: Path) -> None:
    values = json.loads(CARD.to_json())
    values["new_in_a_later_version"] = 1
    (tmp_path / "card.json").write_text(json.dumps(values))
    with pytest.raises(RepositoryError, match="new_in_a_later_version"):
        read_card(tmp_path / "card.json")


def test_the_table_aligns_words_left_and_numbers_right() -> None:
    fp32 = replace(CARD, model="m", precision="fp32", size_bytes=90_400_000, times_smaller=1.0)
    assert table([fp32, CARD]).splitlines() == [
        "| model  | precision |   size | smaller | cosine mean | cosine min | texts/s | faster |",
        "| ------ | --------- | -----: | ------: | ----------: | ---------: | ------: | -----: |",
        "| m      | fp32      | 90.4MB |   1.00x |      0.9900 |     0.9700 |     430 |  2.35x |",
        "| m_int8 | int8      | 22.9MB |   3.94x |      0.9900 |     0.9700 |     430 |  2.35x |",
    ]


def test_the_markdown_says_under_which_conditions() -> None:
    text = CARD.to_markdown()
    for condition in (
        "a CPU",
        "cores 2",
        "onnxruntime 1.32.0",
        "54 built-in",
        "not through Triton",
        "export's reading of the folder",
    ):
        assert condition in text
    assert "depends a little on the other texts" in text
    invariant = replace(CARD.agreement, batch_invariant=True)
    assert "does not depend" in replace(CARD, agreement=invariant).to_markdown()
