"""The evidence beside each model of the repository that is served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest

from tritonkit.client import Client
from tritonkit.export import Card, Export, export_model, pipeline, read_card
from tritonkit.export.card.card import CARD_JSON, CARD_MARKDOWN, CARD_PICTURE
from tritonkit.repository import (
    CONFIG_NAME,
    check_repository,
    model_directories,
    read_config,
    write_models,
)
from tritonkit.repository.digest import BATCH_INVARIANT
from tritonkit.server import EmbeddedServer

EXACT = {"minilm", "minilm_fp16", "minilm_int8_static", "minilm_w8"}


@pytest.fixture(scope="module")
def cards(sources: Mapping[str, Any], family: Export) -> list[Card]:
    return [card for one in sources.values() for card in one.export.cards] + list(family.cards)


def places(repository: Path, cards: list[Card]) -> Iterator[tuple[Card, Path]]:
    for card in cards:
        yield card, repository / card.model / str(card.version)


def test_a_card_is_read_as_it_was_written(cards: list[Card], shared_repository: Path) -> None:
    for card, place in places(shared_repository, cards):
        assert read_card(place / CARD_JSON) == card


def test_files_are_those_that_the_cards_list(cards: list[Card], shared_repository: Path) -> None:
    listed = {path: size for card in cards for path, size in card.files.items()}
    found = {
        str(path.relative_to(shared_repository)): path.stat().st_size
        for path in shared_repository.rglob("*")
        if path.is_file() and path.name not in (CARD_JSON, CARD_MARKDOWN, CARD_PICTURE, CONFIG_NAME)
    }
    assert found == listed


def test_a_card_is_there_to_be_read(cards: list[Card], shared_repository: Path) -> None:
    for card, place in places(shared_repository, cards):
        text = (place / CARD_MARKDOWN).read_text()
        assert text.startswith(f"# {card.model}, version 1\n")
        assert f"\n| {card.accuracy.metric} " in text
        pictured = (place / CARD_PICTURE).exists()
        assert pictured == (f"]({CARD_PICTURE})" in text) == (len(card.tried) > 1)
        if pictured:
            assert (place / CARD_PICTURE).read_text().rstrip().endswith("</svg>")


def test_configurations_say_whether_rows_may_be_cached(client: Client, cards: list[Card]) -> None:
    for card in cards:
        said = client.config(card.model)["parameters"][BATCH_INVARIANT]["string_value"]
        assert said == ("true" if card.accuracy.batch.invariant else "false"), card.model


def test_the_models_of_the_family_depend_on_their_batch_where_that_is_known(
    family: Export,
) -> None:
    found = {card.model for card in family.cards if card.accuracy.batch.invariant}
    assert found - {"minilm_auto"} == EXACT


def test_what_auto_chose_was_tried_and_keeps_its_budget(family: Export) -> None:
    card = family.cards[-1]
    assert (card.variant, card.model) == ("auto", "minilm_auto")
    assert card.budget.findings(card.accuracy) == ()
    assert [one.recipe for one in card.tried if one.verdict == "chosen"] == [card.recipe]
    assert card.speed is not None
    assert card.speed.throughput >= 0.95


def test_precisions_are_as_small_as_their_bits(family: Export) -> None:
    smaller = {card.variant: card.times_smaller for card in family.cards}
    assert smaller["fp32"] == 1
    assert smaller["fp16"] == pytest.approx(2, abs=0.05)
    for precision in ("int8", "int8_static"):
        assert smaller[precision] == pytest.approx(3.9, abs=0.1)
    for precision in ("w8", "mixed"):
        assert 3.5 < smaller[precision] < 3.9


def test_conversions_are_exact(sources: Mapping[str, Any]) -> None:
    for name, one in sources.items():
        (card,) = one.export.cards
        assert card.recipe == "fp32"
        assert card.accuracy.loss == pytest.approx(0, abs=1e-9), name
        assert card.accuracy.agreement == 1, name
        assert card.accuracy.batch.invariant, name


def test_every_model_is_ready(
    server: EmbeddedServer, client: Client, cards: list[Card], shared_repository: Path
) -> None:
    names = {directory.name for directory in model_directories(shared_repository)}
    assert {card.model for card in cards} < names
    assert {state.name for state in server.models() if state.state == "READY"} == names
    assert all(client.ready(name) for name in names)


def test_the_server_warns_of_nothing_that_was_written(
    server: EmbeddedServer, shared_repository: Path
) -> None:
    """That there is no GPU, it says of every ensemble."""
    assert server.log_path is not None
    names = [directory.name for directory in model_directories(shared_repository)]
    warned = [
        line
        for line in server.log_path.read_text().splitlines()
        if line[:1] in ("W", "E") and any(name in line for name in names)
    ]
    assert [line for line in warned if "CUDA driver version" not in line] == []


def test_digests_tell_models_apart(family: Export, shared_repository: Path) -> None:
    digests = [
        read_config(shared_repository / card.model).parameters["tritonkit.model_digest"]
        for card in family.cards
        if card.variant != "auto"
    ]
    assert len({str(digest) for digest in digests}) == len(digests)


@pytest.mark.parametrize(("opset", "told"), [(17, 0), (26, 1)])
def test_an_opset_that_no_release_of_triton_is_known_to_load_is_told(
    onnx_file: Path, tmp_path: Path, opset: int, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the export, and by check afterwards."""
    # Not the one that lets check find nothing.
    monkeypatch.setattr(pipeline, "write_models", write_models)
    model = onnx.load(onnx_file)
    model.opset_import[0].version = opset
    onnx.save(model, tmp_path / "layers.onnx")
    steps: list[str] = []
    (card,) = export_model(tmp_path / "layers.onnx", tmp_path / "r", progress=steps.append).cards
    assert sum("for which no release of NVIDIA's Triton is known" in step for step in steps) == told
    assert bool(card.onnxruntime) is not bool(told)
    found = [finding.rule.id for finding in check_repository(tmp_path / "r").findings]
    assert found == ["TK058"] * told
