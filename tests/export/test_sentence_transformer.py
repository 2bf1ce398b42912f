from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tritonkit.errors import ConfigError, ExportError, RepositoryError
from tritonkit.export import Export, export_sentence_transformer
from tritonkit.export.card import read_card
from tritonkit.repository import Model, ModelConfig, model_directories, read_config, write_models

MODELS = ["minilm", "minilm_encoder", "minilm_int8", "minilm_int8_encoder", "minilm_tokenizer"]


@pytest.fixture
def copy(exported: Export, repository: Path, tmp_path: Path) -> Path:
    """A copy of the exported repository, to be written to."""
    assert exported.written
    return Path(shutil.copytree(repository, tmp_path / "copy"))


@pytest.fixture
def steps() -> list[str]:
    """Filled with what the export tells."""
    return []


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def snapshot(repository: Path) -> dict[str, int]:
    return {
        str(path.relative_to(repository)): path.stat().st_mtime_ns
        for path in repository.rglob("*")
        if path.is_file()
    }


def test_a_tokenizer_two_encoders_and_two_ensembles_are_written(
    exported: Export, repository: Path
) -> None:
    assert exported.written
    assert [directory.name for directory in model_directories(repository)] == MODELS
    assert [card.model for card in exported.cards] == ["minilm", "minilm_int8"]
    assert [path.name for path in repository.parent.iterdir()] == ["model_repository"]


def test_the_card_stands_beside_the_model(exported: Export, repository: Path) -> None:
    for card in exported.cards:
        assert read_card(repository / card.model / "1" / "card.json") == card
        assert card.source_digest in (repository / card.model / "1" / "card.md").read_text()


def test_the_card_and_the_config_say_what_was_measured(exported: Export, repository: Path) -> None:
    fp32, int8 = exported.cards
    assert fp32.agreement.cosine_min >= 0.9999
    assert fp32.agreement.batch_invariant
    assert not int8.agreement.batch_invariant
    assert (fp32.times_smaller, fp32.times_faster) == (1.0, 1.0)
    assert int8.times_smaller > 3.8
    for name, invariant in (("minilm", "true"), ("minilm_int8", "false")):
        parameters = read_config(repository / name).parameters
        assert parameters["tritonkit.batch_invariant"].string_value == invariant
        assert len(parameters["tritonkit.model_digest"].string_value) == 64


def test_what_is_up_to_date_is_not_written(minilm: Path, copy: Path, steps: list[str]) -> None:
    before = snapshot(copy)
    again = export_sentence_transformer(minilm, copy, name="minilm", progress=steps.append)
    assert not again.written
    assert [card.model for card in again.cards] == ["minilm", "minilm_int8"]
    assert snapshot(copy) == before
    assert steps == []


def test_a_config_tuned_since_is_up_to_date(minilm: Path, copy: Path) -> None:
    config = copy / "minilm_encoder" / "config.pbtxt"
    config.write_text(config.read_text().replace("count: 1", "count: 2"))
    assert not export_sentence_transformer(minilm, copy, name="minilm").written


@pytest.mark.parametrize(
    "damage",
    ["minilm_encoder/1/model.onnx", "minilm_tokenizer/config.pbtxt", "minilm/1/card.json"],
)
def test_what_is_incomplete_is_made_again_and_stays_as_it_is_if_that_fails(
    minilm: Path, copy: Path, damage: str, scratch: Path
) -> None:
    (copy / damage).unlink()
    before = snapshot(copy)

    class Interrupted(Exception):
        pass

    def interrupt(step: str) -> None:
        raise Interrupted(step)

    # A model without its config is not export's to replace, so it is told to.
    with pytest.raises(Interrupted, match="converting"):
        export_sentence_transformer(
            minilm, copy, name="minilm", force=damage.endswith(".pbtxt"), progress=interrupt
        )
    assert snapshot(copy) == before
    assert list(scratch.iterdir()) == []


def test_other_options_are_another_model(minilm: Path, copy: Path) -> None:
    class Begun(Exception):
        pass

    def begun(step: str) -> None:
        raise Begun(step)

    with pytest.raises(Begun):
        export_sentence_transformer(minilm, copy, name="minilm", max_batch_size=8, progress=begun)


def test_a_model_of_somebody_else_is_not_replaced(minilm: Path, tmp_path: Path) -> None:
    write_models(tmp_path / "r", [Model(ModelConfig(name="minilm_encoder", backend="python"))])
    with pytest.raises(ConfigError, match=r"minilm_encoder is there .* --force"):
        export_sentence_transformer(minilm, tmp_path / "r", name="minilm")


def test_the_tokenizer_is_not_changed_under_another_precision(minilm: Path, copy: Path) -> None:
    card = copy / "minilm_int8" / "1" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "source_digest": "0" * 64}))
    with pytest.raises(ConfigError, match=r"minilm_int8 shares its tokenizer.*export int8 along"):
        export_sentence_transformer(minilm, copy, name="minilm", precisions=["fp32"])


def test_a_source_without_weights_fails_with_the_converters_words(
    folder: Callable[..., Path], tmp_path: Path, scratch: Path
) -> None:
    with pytest.raises(ExportError, match=r"could not be converted to ONNX \(exit status 1\)") as e:
        export_sentence_transformer(folder(), tmp_path / "r", name="m")
    assert "safetensors" in str(e.value)
    assert not (tmp_path / "r").exists()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": "a/b"}, RepositoryError, "a model name is made of"),
        ({"precisions": ["fp16"]}, ConfigError, "out of fp32, int8, but got .*fp16"),
        ({"precisions": []}, ConfigError, "out of fp32, int8"),
        ({"max_batch_size": 0}, ConfigError, "max_batch_size must be 1 or more, but got 0"),
        ({"threads": -1}, ConfigError, "threads must be 0 or more, but got -1"),
    ],
)
def test_a_wrong_option_is_refused(
    minilm: Path,
    tmp_path: Path,
    options: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    values = {"name": "m", **options}
    with pytest.raises(error, match=message):
        export_sentence_transformer(minilm, tmp_path / "r", **values)  # type: ignore[arg-type]
    assert not (tmp_path / "r").exists()
