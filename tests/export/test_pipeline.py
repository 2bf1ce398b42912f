from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tritonkit.errors import ConfigError, ExportError, RepositoryError
from tritonkit.export import Export, export_model
from tritonkit.export.card.card import read_card
from tritonkit.export.origin import EXPORT, SOURCE_DIGEST
from tritonkit.export.serving import ServingOptions
from tritonkit.repository import (
    Model,
    ModelConfig,
    model_directories,
    read_config,
    render_config,
    write_models,
)
from tritonkit.repository.digest import CONFIG_DIGEST, MODEL_DIGEST

FAMILY = ("fp32", "int8")
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


class Begun(Exception):
    """The export went to work: nothing was up to date, nothing was refused."""


def begin(step: str) -> None:
    raise Begun(step)


def set_card(repository: Path, ensemble: str, **changes: object) -> None:
    card = repository / ensemble / "1" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), **changes}))


def edit(repository: Path, model: str, before: str, after: str) -> None:
    config = repository / model / "config.pbtxt"
    assert before in config.read_text()
    config.write_text(config.read_text().replace(before, after))


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
    assert fp32.accuracy.cosine_min >= 0.9999
    assert fp32.accuracy.batch.invariant
    assert not int8.accuracy.batch.invariant
    assert fp32.times_smaller == 1.0
    assert int8.times_smaller > 3.8
    for name, invariant in (("minilm", "true"), ("minilm_int8", "false")):
        parameters = read_config(repository / name).parameters
        assert parameters["tritonkit.batch_invariant"].string_value == invariant
        assert len(parameters["tritonkit.model_digest"].string_value) == 64


def test_what_is_up_to_date_is_not_written(minilm: Path, copy: Path, steps: list[str]) -> None:
    before = snapshot(copy)
    again = export_model(minilm, copy, name="minilm", variants=FAMILY, progress=steps.append)
    assert not again.written
    assert [card.model for card in again.cards] == ["minilm", "minilm_int8"]
    assert snapshot(copy) == before
    assert steps == []


def test_a_config_tuned_since_is_up_to_date(minilm: Path, copy: Path) -> None:
    config = copy / "minilm_encoder" / "config.pbtxt"
    config.write_text(config.read_text().replace("count: 1", "count: 2"))
    assert not export_model(minilm, copy, name="minilm", variants=FAMILY).written


@pytest.mark.parametrize(
    "damage",
    ["minilm_encoder/1/model.onnx", "minilm_tokenizer/config.pbtxt", "minilm/1/card.json"],
)
def test_what_is_incomplete_is_made_again_and_stays_as_it_is_if_that_fails(
    minilm: Path, copy: Path, damage: str, scratch: Path
) -> None:
    (copy / damage).unlink()
    before = snapshot(copy)

    # A model without its config is not export's to replace, so it is told to.
    with pytest.raises(Begun, match="converting"):
        export_model(
            minilm,
            copy,
            name="minilm",
            variants=FAMILY,
            force=damage.endswith(".pbtxt"),
            progress=begin,
        )
    assert snapshot(copy) == before
    assert list(scratch.iterdir()) == []


def test_other_options_are_another_model(minilm: Path, copy: Path) -> None:
    with pytest.raises(Begun):
        export_model(
            minilm,
            copy,
            name="minilm",
            variants=FAMILY,
            options=ServingOptions(max_batch_size=8),
            progress=begin,
        )


def test_what_other_code_made_is_made_again(minilm: Path, copy: Path) -> None:
    """Of the same source, and not edited: nothing is lost."""
    set_card(copy, "minilm", fingerprint="0" * 64, of_another_version=1)
    with pytest.raises(Begun):
        export_model(minilm, copy, name="minilm", variants=FAMILY, progress=begin)


def test_what_was_made_before_configs_were_signed_is_made_again(minilm: Path, copy: Path) -> None:
    for model in MODELS:
        config = read_config(copy / model)
        for parameter in (EXPORT, SOURCE_DIGEST, CONFIG_DIGEST):
            del config.parameters[parameter]
        (copy / model / "config.pbtxt").write_text(render_config(config))
    set_card(copy, "minilm", fingerprint="0" * 64)
    with pytest.raises(Begun):
        export_model(minilm, copy, name="minilm", variants=FAMILY, progress=begin)


def test_a_model_of_somebody_else_is_not_replaced(minilm: Path, tmp_path: Path) -> None:
    write_models(tmp_path / "r", [Model(ModelConfig(name="minilm_encoder", backend="python"))])
    with pytest.raises(ConfigError, match=r"minilm_encoder is there .* --force"):
        export_model(minilm, tmp_path / "r", name="minilm")


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    minilm: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RepositoryError, match="file cannot be made"):
        export_model(minilm, tmp_path / "file", name="minilm", progress=begin)


def test_a_label_that_is_no_line_is_told_before_the_work(
    folder: Callable[..., Path], tmp_path: Path
) -> None:
    classes = {"0": "good", "1": "not\ngood"}
    source = folder(
        config={"architectures": ["BertForSequenceClassification"], "id2label": classes}
    )
    with pytest.raises(ConfigError, match=rf"^{source}: a label must be one line of labels\.txt"):
        export_model(source, tmp_path / "r", name="m", task="text-classification", progress=begin)


@pytest.mark.parametrize("force", [False, True])
def test_a_model_of_another_source_is_replaced_by_force_only(
    folder: Callable[..., Path], copy: Path, force: bool
) -> None:
    another = folder(text={"max_seq_length": 99})
    error, message = (Begun, None) if force else (ConfigError, "has another source; .* --force")
    with pytest.raises(error, match=message):
        export_model(another, copy, name="minilm", variants=FAMILY, force=force, progress=begin)


def test_a_new_version_may_have_another_source(folder: Callable[..., Path], copy: Path) -> None:
    another = folder(text={"max_seq_length": 99})
    with pytest.raises(Begun):
        export_model(
            another, copy, name="minilm", variants=FAMILY, model_version="next", progress=begin
        )


@pytest.mark.parametrize("force", [False, True])
def test_a_version_is_overwritten_by_force_only(
    folder: Callable[..., Path], copy: Path, force: bool
) -> None:
    another = folder(text={"max_seq_length": 99})
    error, message = (
        (Begun, None)
        if force
        else (
            ConfigError,
            "has version 1 already; choose another --name or --model-version",
        )
    )
    with pytest.raises(error, match=message):
        export_model(
            another,
            copy,
            name="minilm",
            variants=FAMILY,
            model_version=1,
            force=force,
            progress=begin,
        )


@pytest.mark.parametrize(
    ("name", "owner"), [("minilm_int8", "minilm int8"), ("minilm_encoder", "minilm")]
)
def test_a_part_of_another_export_is_not_replaced(
    minilm: Path, copy: Path, name: str, owner: str
) -> None:
    """Although it has the same source."""
    with pytest.raises(ConfigError, match=f"{name}.* belongs to the export '{owner}'.* --force"):
        export_model(minilm, copy, name=name, variants=["fp32"], progress=begin)


@pytest.mark.parametrize("force", [False, True])
def test_tuning_is_undone_by_force_only(minilm: Path, copy: Path, force: bool) -> None:
    """Also where the code of export changed since."""
    edit(copy, "minilm_encoder", "count: 1", "count: 2")
    set_card(copy, "minilm", fingerprint="0" * 64)
    error, message = (Begun, None) if force else (ConfigError, "minilm_encoder .* was edited since")
    with pytest.raises(error, match=message):
        export_model(minilm, copy, name="minilm", variants=FAMILY, force=force, progress=begin)


@pytest.mark.parametrize("force", [False, True])
def test_the_other_precision_must_stay_loadable(minilm: Path, copy: Path, force: bool) -> None:
    """Triton refuses an ensemble that takes larger batches than its tokenizer."""
    with pytest.raises(
        ConfigError,
        match=r"minilm_int8 calls minilm_tokenizer.*takes batches of 64.*both in one call",
    ):
        export_model(
            minilm,
            copy,
            name="minilm",
            variants=["fp32"],
            options=ServingOptions(max_batch_size=8),
            force=force,
            progress=begin,
        )


def test_larger_batches_and_threads_of_one_precision_leave_the_other_as_it_is(
    minilm: Path, copy: Path
) -> None:
    with pytest.raises(Begun):
        export_model(
            minilm,
            copy,
            name="minilm",
            variants=["fp32"],
            options=ServingOptions(max_batch_size=128, threads=1),
            progress=begin,
        )


def test_the_tokenizer_is_not_changed_under_another_precision(
    folder: Callable[..., Path], minilm: Path, copy: Path
) -> None:
    match = r"minilm_int8 calls minilm_tokenizer.*has another source.*both in one call"
    with pytest.raises(ConfigError, match=match):
        export_model(
            folder(text={"max_seq_length": 99}),
            copy,
            name="minilm",
            variants=["fp32"],
            force=True,
            progress=begin,
        )
    # As after a change of the tokenizer's code.
    digest = read_config(copy / "minilm_tokenizer").parameters[MODEL_DIGEST].string_value
    edit(copy, "minilm_tokenizer", digest, "0" * 64)
    with pytest.raises(ConfigError, match=r"minilm_int8 calls .* made with another tokenizer"):
        export_model(minilm, copy, name="minilm", variants=["fp32"], force=True, progress=begin)


def test_a_card_of_another_version_stops_no_other_precision(minilm: Path, copy: Path) -> None:
    set_card(copy, "minilm_int8", of_another_version=1)
    with pytest.raises(Begun):
        export_model(minilm, copy, name="minilm", variants=["fp32"], force=True, progress=begin)


def test_a_source_without_weights_fails_with_the_converters_words(
    folder: Callable[..., Path], tmp_path: Path, scratch: Path
) -> None:
    with pytest.raises(ExportError, match=r"could not be converted to ONNX \(exit status 1\)") as e:
        export_model(folder(), tmp_path / "r", name="m")
    assert "safetensors" in str(e.value)
    assert not (tmp_path / "r").exists()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": "a/b"}, RepositoryError, "a model name is made of"),
        ({"variants": ["int3"]}, ConfigError, "out of auto, fp32, .*, but got .*int3"),
        ({"variants": "int3"}, ConfigError, r"but got \('int3',\)"),
        ({"variants": []}, ConfigError, "out of auto, fp32"),
        ({"variants": ["student"]}, ConfigError, "trained on texts of yours"),
        ({"model_version": 0}, ConfigError, "a model version must be 1 or more, but got 0"),
        ({"task": "fill-mask"}, ConfigError, "fill-mask"),
        ({"samples": "absent.txt"}, ConfigError, r"absent\.txt"),
        (
            {"variants": ["auto"], "options": ServingOptions(target="gpu")},
            ConfigError,
            "tells nothing of a GPU",
        ),
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
        export_model(minilm, tmp_path / "r", **values)  # type: ignore[arg-type]
    assert not (tmp_path / "r").exists()
