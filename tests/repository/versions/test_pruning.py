from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.repository.versions.conftest import MakeModel
from tests.repository.versions.test_promotion import refused, run, tree

from tritonkit.repository import ModelConfig, ModelDirectory, parse_config, read_config
from tritonkit.repository.digest import MODEL_DIGEST, model_digest
from tritonkit.repository.versions import state
from tritonkit.repository.versions.content import content_digest
from tritonkit.repository.versions.folders import folder_size
from tritonkit.repository.versions.pruning import plan_pruning
from tritonkit.repository.versions.state import Models


def versions(folder: Path) -> tuple[int, ...]:
    return ModelDirectory(folder).versions()


def test_what_is_served_stays_and_what_a_rollback_needs(
    repository: Path, make_model: MakeModel
) -> None:
    folder = make_model("m", [1, 2, 3, 4, 5, 6, 7])
    for version in ("1", "4", "2", "5"):
        run(repository, "promote", "m", version)
    # Served before: 7, 1, 4, 2. Newest of the others: 6, 3.
    before = tree(folder)
    told = run(repository, "prune", "--keep", "3", "--dry-run")
    assert tree(folder) == before
    assert told.endswith("Nothing was done: --dry-run.\n")
    said = run(repository, "prune", "--keep", "3")
    assert told.startswith(said)
    assert versions(folder) == (1, 2, 4, 5, 6)
    # Above what is served, and not served yet.
    assert "m/6 stays: it is newer than what is served, and was not served yet." in said
    assert "m/7 is removed: " in said
    assert [path.name for path in repository.parent.iterdir()] == ["repository"]
    for served in (2, 4, 1):
        run(repository, "rollback", "m")
        assert list(read_config(folder).version_policy.specific.versions) == [served]
    assert "is not known to have served anything else" in refused(repository, "rollback", "m")


def test_a_number_that_is_given_again_is_another_version(
    repository: Path, make_model: MakeModel
) -> None:
    digest = f'parameters {{ key: "{MODEL_DIGEST}" value {{ string_value: "{"0" * 64}" }} }}\n'
    folder = make_model("m", [1, 2], digest)
    config = read_config(folder)
    run(repository, "promote", "m", "1")
    run(repository, "prune", "--keep", "0")
    (folder / "2").mkdir()
    (folder / "2" / "model.py").write_text("another")
    run(repository, "promote", "m", "2")
    assert model_digest(read_config(folder)) == content_digest(folder / "2", config)


def test_nothing_but_the_served_stays_where_nothing_is_kept(
    repository: Path, make_model: MakeModel
) -> None:
    one, two = make_model("one", [1, 2, 3]), make_model("two", [1, 2, 3], "version_policy {all {}}")
    nothing = make_model("nothing", [1], "version_policy { specific { versions: 5 } }")
    bare = make_model("bare", [1, 2])
    (bare / "config.pbtxt").unlink()
    said = run(repository, "prune", "one", "--keep", "0")
    assert (versions(one), versions(two), versions(bare)) == ((3,), (1, 2, 3), (1, 2))
    assert "two" not in said
    said = run(repository, "prune", "--keep", "0")
    assert (versions(one), versions(two), versions(bare)) == ((3,), (1, 2, 3), (2,))
    assert versions(nothing) == (1,)
    assert "nothing/1 stays: the model serves nothing at present." in said
    assert "Nothing is to be removed." in run(repository, "prune", "--keep", "0")


def test_what_an_ensemble_asks_for_stays_also_if_it_did_before(
    repository: Path, make_model: MakeModel, make_ensemble: MakeModel
) -> None:
    folder = make_model("m", [1, 2, 3, 4], "version_policy { all {} }")
    ensemble = make_ensemble("e", ("m", 2), more="version_policy { latest { num_versions: 1 } }\n")
    (ensemble / "2").mkdir()
    run(repository, "promote", "e", "1")
    text = (ensemble / "config.pbtxt").read_text()
    (ensemble / "config.pbtxt").write_text(text.replace("model_version: 2", "model_version: 1"))
    (folder / "config.pbtxt").write_text(
        (folder / "config.pbtxt").read_text().replace("all {}", "latest { num_versions: 1 }")
    )
    said = run(repository, "prune", "m", "--keep", "0")
    assert versions(folder) == (1, 2, 4)
    assert "m/1 stays: ensemble 'e' calls it." in said
    assert "m/2 stays: ensemble 'e' called it before." in said


def test_nothing_is_removed_that_something_unreadable_may_need(
    repository: Path, make_model: MakeModel
) -> None:
    make_model("m")
    (repository / "bad").mkdir()
    (repository / "bad" / "config.pbtxt").write_text("platform: {")
    said = refused(repository, "prune", "--keep", "0")
    assert "nothing is removed while model 'bad' cannot be read" in said
    assert "there is no model 'mm' in" in refused(repository, "prune", "mm")


def test_a_link_to_a_version_is_removed_and_not_what_it_leads_to(
    repository: Path, make_model: MakeModel, tmp_path: Path
) -> None:
    folder = make_model("m", [2])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "model.py").write_text("mine")
    (folder / "1").symlink_to(tmp_path / "elsewhere")
    run(repository, "prune", "--keep", "0")
    assert versions(folder) == (2,)
    assert tree(tmp_path / "elsewhere") == {"model.py": b"mine"}


def test_what_was_served_before_is_read_once(
    repository: Path, make_ensemble: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository of a thousand ensembles is pruned too."""
    for number in range(12):
        name = f"e{number}"
        make_ensemble(name, ("absent", 3))
        (repository / name / "2").mkdir()
        run(repository, "promote", name, "1")
    parsed: list[str] = []

    def parse(text: str, *, source: str) -> ModelConfig:
        parsed.append(source)
        return parse_config(text, source=source)

    models = Models.read(repository)
    monkeypatch.setattr(state, "parse_config", parse)
    assert len(plan_pruning(models, (), keep=0)) == 12
    assert len(parsed) == 12


def test_a_size_is_told_also_while_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stays").write_bytes(bytes(5))
    (tmp_path / "link").symlink_to("/dev")
    walk = [(str(tmp_path), [], ["stays", "gone"])]
    monkeypatch.setattr(os, "walk", lambda folder: walk)
    assert folder_size(tmp_path) == 5
