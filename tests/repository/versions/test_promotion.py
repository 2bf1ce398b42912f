"""Which version answers afterwards, under which configuration, and what a cache is told of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.repository.versions.conftest import MakeModel

from tritonkit.cli import main
from tritonkit.repository import Model, ModelConfig, ModelDirectory, read_config, write_models
from tritonkit.repository.digest import (
    BATCH_INVARIANT,
    CONFIG_DIGEST,
    MODEL_DIGEST,
    config_digest,
    ensemble_digest,
    files_digest,
    is_as_signed,
    model_digest,
)
from tritonkit.repository.versions.policy import served_versions
from tritonkit.repository.versions.record import read_record


def tritonkit(repository: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["repo", *arguments, "--repository", str(repository)])


def run(repository: Path, *arguments: str) -> str:
    said = tritonkit(repository, *arguments)
    assert said.exit_code == 0, said.output
    return said.output


def refused(repository: Path, *arguments: str, code: int = 2) -> str:
    before = tree(repository)
    said = tritonkit(repository, *arguments)
    assert said.exit_code == code
    assert "Traceback" not in said.output
    assert tree(repository) == before
    assert [path.name for path in repository.parent.iterdir()] == [repository.name]
    return said.output


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def served(repository: Path, name: str) -> tuple[int, ...]:
    directory = ModelDirectory(repository / name)
    return served_versions(read_config(directory.path), directory.versions())


def text(repository: Path, name: str) -> str:
    return (repository / name / "config.pbtxt").read_text()


def exported(name: str, version: int, weights: bytes, *, invariant: bool, keep: bool) -> Model:
    """A model as export writes it."""
    config = ModelConfig(name=name, backend="onnxruntime", max_batch_size=8)
    config.version_policy.latest.num_versions = 1
    config.parameters[MODEL_DIGEST].string_value = files_digest({"model.onnx": weights}, {})
    config.parameters[BATCH_INVARIANT].string_value = str(invariant).lower()
    config.parameters["tritonkit.export"].string_value = "family int8"
    config.parameters["intra_op_thread_count"].string_value = str(version)
    config.parameters[CONFIG_DIGEST].string_value = config_digest(config)
    return Model(
        config,
        {version: {"model.onnx": weights, "card.json": b"{}"}},
        comments={"parameters.intra_op_thread_count": f"Measured for version {version}."},
        keep_versions=keep,
    )


def ensemble_of(name: str, version: int, *parts: Model, keep: bool) -> Model:
    config = ModelConfig(name=name, platform="ensemble", max_batch_size=8)
    config.version_policy.latest.num_versions = 1
    for part in parts:
        config.ensemble_scheduling.step.add(model_name=part.name, model_version=-1)
    config.parameters[MODEL_DIGEST].string_value = ensemble_digest([p.config for p in parts])
    invariant = all(p.config.parameters[BATCH_INVARIANT].string_value == "true" for p in parts)
    config.parameters[BATCH_INVARIANT].string_value = str(invariant).lower()
    config.parameters["tritonkit.export"].string_value = "family int8"
    config.parameters[CONFIG_DIGEST].string_value = config_digest(config)
    return Model(config, {version: {}}, keep_versions=keep)


def write_family(repository: Path, *versions: int) -> None:
    for version in versions:
        one, two = (
            exported(
                name, version, f"{name}{version}".encode(), invariant=version != 2, keep=version > 1
            )
            for name in ("one", "two")
        )
        write_models(repository, [one, two, ensemble_of("both", version, one, two, keep=True)])


def test_a_version_is_pinned_and_the_rest_of_the_text_stays(
    repository: Path, make_model: MakeModel
) -> None:
    folder = make_model("m", [1, 2, 10], "version_policy: { latest { num_versions: 2 } } # two\n")
    before = (folder / "config.pbtxt").read_text()
    said = run(repository, "promote", "m", "1")
    assert "m serves version 1 instead of 2 and 10." in said
    after = before.replace(
        "version_policy: { latest { num_versions: 2 } }",
        "version_policy: {\n  specific {\n    versions: [1]\n  }\n}",
    )
    assert text(repository, "m") == after
    assert served(repository, "m") == (1,)
    # Back to where two were served, in the same words.
    assert "m serves version 2 and 10 instead of 1." in run(repository, "rollback", "m")
    assert text(repository, "m") == before
    assert [path.name for path in repository.parent.iterdir()] == ["repository"]


def test_a_config_without_policy_and_none_at_all_get_one(
    repository: Path, make_model: MakeModel
) -> None:
    folder = make_model("m")
    (folder / "config.pbtxt").write_text('backend: "python"')
    run(repository, "promote", "m", "1")
    assert text(repository, "m").startswith('backend: "python"\nversion_policy {')
    (folder / "config.pbtxt").unlink()
    assert served(repository, "m.absent") == () if (repository / "m.absent").exists() else True
    run(repository, "promote", "m", "1")
    assert served(repository, "m") == (1,)


def test_what_is_served_is_promoted_without_a_trace(
    repository: Path, make_model: MakeModel
) -> None:
    make_model("m")
    assert "m serves version 2, as before." in run(repository, "promote", "m", "2")
    assert "specific" in text(repository, "m")
    assert read_record(repository / "m").states == ()
    before = tree(repository)
    run(repository, "promote", "m", "2")
    assert tree(repository) == before


def test_rollback_goes_back_step_by_step(repository: Path, make_model: MakeModel) -> None:
    make_model("m", [1, 2, 3])
    for version in ("1", "2", "1"):
        run(repository, "promote", "m", version)
    answered = []
    for _ in range(3):
        run(repository, "rollback", "m")
        answered.append(served(repository, "m"))
    assert answered == [(2,), (1,), (3,)]
    said = refused(repository, "rollback", "m")
    assert "is not known to have served anything else before; promote one of" in said
    # What was left by the way is not forgotten, and nothing is undone twice.
    run(repository, "promote", "m", "2")
    run(repository, "rollback", "m")
    assert served(repository, "m") == (3,)


def test_rollback_to_a_version(repository: Path, make_model: MakeModel) -> None:
    make_model("m", [1, 2, 3, 4])
    for version in ("1", "2", "3"):
        run(repository, "promote", "m", version)
    run(repository, "rollback", "m", "--to", "1")
    assert served(repository, "m") == (1,)
    run(repository, "rollback", "m")
    assert served(repository, "m") == (4,)
    assert "known to have served version 2 before" in refused(
        repository, "rollback", "m", "--to", "2"
    )


def test_a_version_that_came_meanwhile_is_not_rolled_back_to(
    repository: Path, make_model: MakeModel
) -> None:
    """The policy of then would serve it: "the newest"."""
    folder = make_model("m")
    run(repository, "promote", "m", "1")
    (folder / "9").mkdir()
    (folder / "9" / "model.py").write_text("")
    run(repository, "rollback", "m")
    assert served(repository, "m") == (2,)


def test_export_can_be_rolled_back_with_all_that_it_stated(repository: Path) -> None:
    write_models(repository, [exported("m", 1, b"one", invariant=True, keep=False)])
    first = text(repository, "m")
    write_models(repository, [exported("m", 2, b"two", invariant=False, keep=True)])
    second = text(repository, "m")
    run(repository, "rollback", "m")
    config = read_config(repository / "m")
    assert served(repository, "m") == (1,)
    assert model_digest(config) == files_digest({"model.onnx": b"one"}, {})
    assert config.parameters[BATCH_INVARIANT].string_value == "true"
    assert config.parameters["intra_op_thread_count"].string_value == "1"
    assert "# Measured for version 1." in text(repository, "m")
    # But for the version that is pinned it is the very text.
    assert (
        text(repository, "m").replace("specific", "latest").splitlines()[:3]
        == (first.splitlines()[:3])
    )
    assert is_as_signed(config)

    run(repository, "promote", "m", "2")
    config = read_config(repository / "m")
    assert model_digest(config) == files_digest({"model.onnx": b"two"}, {})
    assert config.parameters[BATCH_INVARIANT].string_value == "false"
    assert "# Measured for version 2." in text(repository, "m")
    assert set(second.splitlines()) - set(text(repository, "m").splitlines()) == {
        "  latest {",
        "    num_versions: 1",
    }
    # The next export may go on: what is served is no edit.
    assert is_as_signed(config)
    write_models(repository, [exported("m", 3, b"three", invariant=True, keep=True)])
    for version in (2, 1):
        run(repository, "rollback", "m")
        assert served(repository, "m") == (version,)


def test_a_version_that_was_never_served_is_not_told_by_anothers_digest(
    repository: Path,
) -> None:
    """As in a repository that an earlier tritonkit wrote, or where a folder was copied."""
    write_models(repository, [exported("m", 2, b"two", invariant=True, keep=False)])
    for version in (1, 3):
        folder = repository / "m" / str(version)
        folder.mkdir()
        (folder / "model.onnx").write_bytes(f"number {version}".encode())
    card = {"accuracy": {"batch": {"invariant": True}}}
    (repository / "m" / "1" / "card.json").write_text(json.dumps(card))
    run(repository, "promote", "m", "2")
    for version, invariant in ((1, "true"), (3, "false")):
        said = run(repository, "promote", "m", str(version))
        config = read_config(repository / "m")
        content = f"number {version}".encode()
        assert model_digest(config) == files_digest({"model.onnx": content}, {})
        assert config.parameters[BATCH_INVARIANT].string_value == invariant
        assert is_as_signed(config)
        assert "its digest is now" in said
    # And back to what was exported.
    run(repository, "promote", "m", "2")
    assert model_digest(read_config(repository / "m")) == files_digest({"model.onnx": b"two"}, {})


def test_a_version_whose_content_was_changed_is_not_told_by_its_old_digest(
    repository: Path,
) -> None:
    for version in (1, 2):
        model = exported("m", version, b"%d" % version, invariant=True, keep=version > 1)
        write_models(repository, [model])
    (repository / "m" / "1" / "model.onnx").write_bytes(b"another")
    run(repository, "rollback", "m")
    config = read_config(repository / "m")
    assert model_digest(config) == files_digest({"model.onnx": b"another"}, {})
    assert config.parameters[BATCH_INVARIANT].string_value == "false"


def test_a_digest_that_a_person_gave_a_version_stays_its_own(
    repository: Path, make_model: MakeModel
) -> None:
    named = f'parameters {{ key: "{MODEL_DIGEST}" value {{ string_value: "june" }} }}\n'
    folder = make_model("m", [1, 2], named)
    run(repository, "promote", "m", "1")
    digest = model_digest(read_config(folder))
    # It was given to version 2.
    assert len(digest) == 64
    run(repository, "rollback", "m")
    assert model_digest(read_config(folder)) == "june"
    run(repository, "promote", "m", "1")
    assert model_digest(read_config(folder)) == digest


def test_an_ensemble_goes_with_its_parts(repository: Path) -> None:
    write_family(repository, 1, 2)
    both = {version: model_digest(read_config(repository / "both")) for version in (2,)}
    said = run(repository, "rollback", "both")
    assert [served(repository, name) for name in ("one", "two", "both")] == [(1,)] * 3
    digests = [model_digest(read_config(repository / name)) for name in ("one", "two")]
    assert digests == [
        files_digest({"model.onnx": f"{name}1".encode()}, {}) for name in ("one", "two")
    ]
    config = read_config(repository / "both")
    assert model_digest(config) == ensemble_digest(
        [read_config(repository / name) for name in ("one", "two")]
    )
    assert config.parameters[BATCH_INVARIANT].string_value == "true"
    assert said.index("one serves version 1") < said.index("both serves version 1")
    run(repository, "promote", "both", "2")
    assert [served(repository, name) for name in ("one", "two", "both")] == [(2,)] * 3
    assert model_digest(read_config(repository / "both")) == both[2]
    assert all(is_as_signed(read_config(repository / name)) for name in ("one", "two", "both"))


def test_a_part_alone_changes_what_its_ensembles_state(repository: Path) -> None:
    write_family(repository, 1, 2)
    outer = ModelConfig(name="outer", platform="ensemble", max_batch_size=8)
    outer.ensemble_scheduling.step.add(model_name="both", model_version=-1)
    outer.parameters[MODEL_DIGEST].string_value = ensemble_digest(
        [read_config(repository / "both")]
    )
    write_models(repository, [Model(outer)])
    said = run(repository, "promote", "one", "1")
    assert served(repository, "both") == (2,)
    parts = [read_config(repository / name) for name in ("one", "two")]
    both = read_config(repository / "both")
    assert model_digest(both) == ensemble_digest(parts)
    # One part of the two depends on its batch.
    assert both.parameters[BATCH_INVARIANT].string_value == "false"
    assert model_digest(read_config(repository / "outer")) == ensemble_digest([both])
    assert "both calls one: its answers change with it." in said
    assert "outer calls both: its answers change with it." in said
    run(repository, "promote", "two", "1")
    assert read_config(repository / "both").parameters[BATCH_INVARIANT].string_value == "true"
    # The ensemble by itself, over what its parts serve now.
    run(repository, "promote", "both", "1", "--alone")
    assert "both calls one, which stays at version 1." in run(
        repository, "promote", "both", "2", "--alone"
    )
    assert model_digest(read_config(repository / "both")) == ensemble_digest(
        [read_config(repository / name) for name in ("one", "two")]
    )


def test_parts_of_another_export_stay(
    repository: Path, make_model: MakeModel, make_ensemble: MakeModel
) -> None:
    make_model("m", [1, 2])
    make_ensemble("e", "m")
    assert "e calls m, which stays at version 2." in run(repository, "promote", "e", "1")
    assert served(repository, "m") == (2,)


def test_a_version_that_an_ensemble_asks_for_stays_loaded(
    repository: Path, make_model: MakeModel, make_ensemble: MakeModel
) -> None:
    make_model("m", [1, 2, 3], "version_policy { all {} }\n")
    make_ensemble("e", ("m", 2))
    run(repository, "promote", "m", "3")
    assert served(repository, "m") == (2, 3)
    said = refused(repository, "promote", "m", "1")
    assert "ensemble 'e' calls version 2 of 'm', which would not be loaded beside version 1" in said


def test_an_ensemble_is_not_left_without_what_it_calls(
    repository: Path, make_model: MakeModel, make_ensemble: MakeModel
) -> None:
    make_model("m")
    ensemble = make_ensemble("e", ("m", 2))
    (ensemble / "2").mkdir()
    run(repository, "promote", "e", "1")
    config = ensemble / "config.pbtxt"
    config.write_text(config.read_text().replace("model_version: 2", "model_version: -1"))
    run(repository, "promote", "m", "1")
    # What it served before asks for version 2.
    said = refused(repository, "rollback", "e")
    assert "ensemble 'e' calls version 2 of 'm', which serves 1; promote that one first." in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("max_batch_size: 8", "max_batch_size: 4", "would take batches of 8, but 'm' batches of 4"),
        ('name: "x"', 'name: "z"', "whose tensors would be others: input x TYPE_FP32 [1], input z"),
    ],
)
def test_a_configuration_under_which_an_ensemble_would_not_load_is_not_brought_back(
    repository: Path,
    make_model: MakeModel,
    make_ensemble: MakeModel,
    old: str,
    new: str,
    words: str,
) -> None:
    config = make_model("m") / "config.pbtxt"
    config.write_text(config.read_text().replace(old, new))
    run(repository, "promote", "m", "1")
    config.write_text(config.read_text().replace(new, old))
    make_ensemble("e", "m")
    assert words in refused(repository, "promote", "m", "2")


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_a_dry_run_tells_and_does_nothing(
    repository: Path, make_model: MakeModel, command: str
) -> None:
    make_model("m")
    run(repository, "promote", "m", "1")
    before = tree(repository)
    said = run(repository, command, "m", *(["2"] if command == "promote" else []), "--dry-run")
    assert tree(repository) == before
    assert "m serves version 2 instead of 1." in said
    assert "-    versions: [1]" in said
    assert said.endswith("Nothing was done: --dry-run.\n")


def test_what_cannot_be_done_is_told_and_nothing_is_done(
    repository: Path, make_model: MakeModel
) -> None:
    folder = make_model("embed", [1, 2])
    (folder / "1" / "model.py").unlink()
    (repository / "bad").mkdir()
    (repository / "bad" / "config.pbtxt").write_text("backend: {")
    make_model("long", [1], f'default_model_filename: "{"x" * 5000}"')
    for arguments, words in (
        (("promote", "embet", "1"), "did you mean 'embed'?"),
        (("rollback", "x"), "there is no model 'x' in"),
        (("promote", "bad", "1"), "config.pbtxt:1:"),
        (("promote", "embed", "7"), "has no version 7; its versions are: 1, 2."),
        (("promote", "embed", "1"), "holds no model.py."),
        (("promote", "embed", "0"), "has no version 0; its versions are: 1, 2."),
        (("promote", "embed", "two"), "is not a valid integer"),
        (("promote", "long", "1"), "cannot serve version 1: "),
    ):
        assert words in refused(repository, *arguments), arguments
    (folder / "served.json").write_text('{"format": 2, "served_before": []}')
    assert "is no record of what was served (format 2)" in refused(repository, "rollback", "embed")
    assert "is not there" in refused_place(repository.parent / "absent")
    assert not (repository.parent / "absent").exists()


def refused_place(repository: Path) -> str:
    said = tritonkit(repository, "promote", "m", "1")
    assert said.exit_code == 2
    return said.output


def test_a_link_is_not_replaced(repository: Path, make_model: MakeModel, tmp_path: Path) -> None:
    folder = make_model("m")
    (folder / "config.pbtxt").rename(tmp_path / "mine.pbtxt")
    (folder / "config.pbtxt").symlink_to(tmp_path / "mine.pbtxt")
    assert "config.pbtxt is a link to" in refused(repository, "promote", "m", "1")


def test_permissions_stay(repository: Path, make_model: MakeModel) -> None:
    folder = make_model("m")
    (folder / "config.pbtxt").chmod(0o640)
    run(repository, "promote", "m", "1")
    assert (folder / "config.pbtxt").stat().st_mode & 0o777 == 0o640


def test_a_record_is_replaced_with_its_model(repository: Path) -> None:
    for version in (1, 2):
        model = exported("m", version, b"%d" % version, invariant=True, keep=version > 1)
        write_models(repository, [model])
    # A version that is overwritten is not the one that was served.
    overwritten = exported("m", 1, b"new", invariant=True, keep=True)
    write_models(repository, [overwritten], force=True)
    assert [s.versions for s in read_record(repository / "m").states] == [(2,)]
    write_models(repository, [replace(overwritten, keep_versions=False)])
    assert not (repository / "m" / "served.json").exists()


def test_a_comment_that_is_no_utf8_is_carried_along(
    repository: Path, make_model: MakeModel
) -> None:
    config = make_model("m", [1, 2]) / "config.pbtxt"
    before = b"# M\xfcller\r\n" + config.read_bytes()
    config.write_bytes(before)
    assert "\x1b" not in run(repository, "promote", "m", "1", "--dry-run")
    run(repository, "promote", "m", "1")
    assert config.read_bytes().startswith(before)
    run(repository, "rollback", "m")
    assert config.read_bytes() == before
    assert "m      python " in CliRunner().invoke(main, ["repo", "ls", str(repository)]).output
