from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.export.accuracy.accuracy import (
    Accuracy,
    BatchDependence,
    OutputDifference,
    WorstSample,
)
from tritonkit.export.accuracy.budget import Budget
from tritonkit.export.card.card import CHOSEN, Card, TriedRecipe, read_card
from tritonkit.export.card.markdown import card_markdown, summary_table
from tritonkit.export.card.tried import tried_table
from tritonkit.export.search.candidate import Speed

ACCURACY = Accuracy(
    metric="MRR",
    value=0.725,
    source_value=0.73,
    agreement=0.88,
    cosine_mean=0.99,
    cosine_min=0.97,
    figures={"R@1": 0.645},
    outputs={
        "embedding": OutputDifference(
            max_difference=0.05, mean_difference=0.001, cosine_mean=0.99, cosine_min=0.97
        )
    },
    batch=BatchDependence(cosine_min=0.983, max_difference=0.01, agreement=0.9, invariant=False),
    worst=(WorstSample(position=7, preview="'a|b'", score=0.97),),
    score="cosine",
    samples=54,
    origin="built-in",
    extremes=3,
)


def _tried(
    recipe: str,
    size: int,
    alone: float,
    faster: float,
    loss: float,
    *,
    batch_invariant: bool = True,
    verdict: str = "",
) -> TriedRecipe:
    return TriedRecipe(
        recipe=recipe,
        size_bytes=size,
        times_smaller=1000 / size,
        times_faster={1: alone, 32: faster},
        value=0.5 * (1 - loss),
        loss=loss,
        agreement=0.98,
        cosine_mean=0.993,
        batch_invariant=batch_invariant,
        on_front=True,
        verdict=verdict,
    )


CARD = Card(
    model="m_int8",
    version=2,
    variant="int8",
    recipe="int8",
    summary="weights and activations in 8 bits",
    reason="asked for by name",
    advice="Half as fast without VNNI.",
    source="minilm",
    source_kind="sentence-transformers folder",
    source_digest="5" * 64,
    notes=("opset 9, converted to 17", "commit c0ffee of the hub"),
    fingerprint="7" * 64,
    command="tritonkit export minilm",
    created="2026-01-01T00:00:00+00:00",
    inputs={"text": "TYPE_STRING [1]"},
    outputs={"embedding": "TYPE_FP32 [384]"},
    size_bytes=22_900_000,
    times_smaller=3.944,
    accuracy=ACCURACY,
    budget=Budget(max_loss=0.01),
    speed=Speed(rows_per_second={1: 100.0, 32: 430.4}, times_faster={1: 2.1, 32: 2.349}),
    threads=0,
    tried=(TriedRecipe(recipe="fp32"), TriedRecipe(recipe="int8", verdict="chosen")),
    opset=17,
    onnxruntime="1.13",
    triton="24.10",
    machine={"processor": "a CPU", "cores": 2},
    versions={"onnxruntime": "1.32.0"},
    files={"m_int8_encoder/1/model.onnx": 22_900_000},
)

SEARCHED = replace(
    CARD,
    variant="auto",
    reason="the fastest within the budget",
    tried=(
        _tried("fp32", 1000, 1.0, 1.0, 0.0),
        _tried("int8", 250, 2.0, 2.3, 0.01, batch_invariant=False, verdict=CHOSEN),
        _tried("w4", 200, 1.0, 0.9, 0.04, verdict="slower than fp32, 0.90 times at batch 32"),
        TriedRecipe(recipe="fp16", verdict="failed: an operator is missing\nand more"),
        TriedRecipe(recipe="w8", verdict="the search was interrupted"),
        TriedRecipe(recipe="mixed", verdict="the search was interrupted"),
    ),
)


def test_a_card_survives_its_file(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(CARD.to_json())
    assert read_card(tmp_path / "card.json") == CARD


def test_a_card_without_speed_survives_its_file(tmp_path: Path) -> None:
    card = replace(CARD, speed=None)
    (tmp_path / "card.json").write_text(card.to_json())
    assert read_card(tmp_path / "card.json") == card


def test_no_card_is_none(tmp_path: Path) -> None:
    assert read_card(tmp_path / "card.json") is None


@pytest.mark.parametrize("content", ["{", '{"model": "m"}', "[]", '{"accuracy": {"x": 1}}', "NaN"])
def test_another_file_is_no_card(tmp_path: Path, content: str) -> None:
    (tmp_path / "card.json").write_text(content)
    with pytest.raises(RepositoryError, match=r"card\.json"):
        read_card(tmp_path / "card.json")


@pytest.mark.parametrize("where", [(), ("accuracy",), ("accuracy", "batch"), ("speed",)])
def test_a_card_of_another_version_is_no_card(tmp_path: Path, where: tuple[str, ...]) -> None:
    values = json.loads(CARD.to_json())
    inner = values
    for key in where:
        inner = inner[key]
    inner["new_in_a_later_version"] = 1
    (tmp_path / "card.json").write_text(json.dumps(values))
    with pytest.raises(RepositoryError, match="new_in_a_later_version"):
        read_card(tmp_path / "card.json")


@pytest.mark.parametrize(
    ("field", "value"), [("version", "two"), ("tried", {}), ("files", []), ("size_bytes", None)]
)
def test_a_value_of_another_type_is_no_card(tmp_path: Path, field: str, value: object) -> None:
    (tmp_path / "card.json").write_text(json.dumps({**json.loads(CARD.to_json()), field: value}))
    with pytest.raises(RepositoryError, match="is no card of this version"):
        read_card(tmp_path / "card.json")


def test_the_page_says_where_it_runs() -> None:
    assert "Opset 17; onnxruntime 1.13 or newer, which Triton carries in 24.10." in (
        card_markdown(CARD)
    )
    unknown = replace(
        CARD, opset=26, onnxruntime="", triton="none known; it needs an onnxruntime after 1.24"
    )
    assert (
        "Opset 26; releases of Triton that load it: none known; it needs an onnxruntime after 1.24."
    ) in card_markdown(unknown)


def test_the_table_aligns_words_left_and_numbers_right() -> None:
    fp32 = replace(CARD, model="m", recipe="fp32", size_bytes=90_400_000, times_smaller=1.0)
    lines = summary_table([fp32, CARD]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].startswith("| model  | recipe |")
    assert lines[1].startswith("| ------ | ------ | -----: |")
    assert lines[2].startswith(
        "| m      | fp32   | 90.4MB |   1.00x |  2.35x | MRR 0.7250 | 0.68% |"
    )


def test_the_markdown_says_under_which_conditions() -> None:
    text = card_markdown(CARD)
    for condition in (
        "a CPU",
        "cores 2",
        "onnxruntime 1.32.0",
        "54, built-in",
        "- Limits that were set: at most 1.00% of the metric lost.\n",
        "not through Triton",
        "in batches of 32",
        "Half as fast without VNNI.",
        "`embedding`: TYPE_FP32 [384]",
        "tritonkit export minilm",
        "\n- Source: opset 9, converted to 17.\n- Source: commit c0ffee of the hub.\n",
    ):
        assert condition in text
    assert "give or take" not in text
    assert "depends on what else is in its batch" in text
    invariant = replace(ACCURACY, batch=replace(ACCURACY.batch, invariant=True))
    assert "does not depend" in card_markdown(replace(CARD, accuracy=invariant))


def test_what_was_tried_is_shown_with_its_picture() -> None:
    assert "front.svg" not in card_markdown(CARD)
    text = card_markdown(SEARCHED, pictured=True)
    assert "![front](front.svg)" in text
    assert tried_table(SEARCHED) in text


def test_the_table_has_a_row_for_each_recipe_that_was_measured() -> None:
    lines = tried_table(SEARCHED).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[:5]]
    assert rows[0] == [
        "recipe", "size", "smaller", "faster (1)", "faster (32)", "MRR", "loss", "agreement",
        "cosine", "invariant", "front",
    ]  # fmt: skip
    assert rows[3] == [
        "**int8**", "250B", "4.00x", "2.00x", "2.30x", "0.4950", "1.00%", "98.0%", "0.9930",
        "no", "yes",
    ]  # fmt: skip
    assert [row[0] for row in rows[2:]] == ["fp32", "**int8**", "w4"]


def test_below_it_stands_why_the_others_are_not_chosen_or_not_measured() -> None:
    assert tried_table(SEARCHED).splitlines()[5:] == [
        "",
        "Chosen: int8: the fastest within the budget.",
        "",
        "Not to be chosen:",
        "",
        "- w4: slower than fp32, 0.90 times at batch 32",
        "",
        "Not measured:",
        "",
        "- fp16: failed: an operator is missing",
        "- w8, mixed: the search was interrupted",
    ]


def test_it_says_how_sure_the_speed_is() -> None:
    assert CARD.speed is not None
    unsure = replace(CARD, speed=replace(CARD.speed, error={1: 0.5, 32: 0.021}))
    assert "; at batch 32 2.35 times fp32, give or take 0.04.\n" in card_markdown(unsure)


def test_one_recipe_alone_is_no_table() -> None:
    assert tried_table(replace(CARD, tried=CARD.tried[:1])) == ""


def test_an_object_in_memory_has_no_command() -> None:
    assert "from an object in memory" in card_markdown(replace(CARD, command=""))
