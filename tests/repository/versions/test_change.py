from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from tests.repository.versions.conftest import MakeModel
from tests.repository.versions.test_promotion import refused, run

from tritonkit.repository import read_config
from tritonkit.repository.change import changing, write_files
from tritonkit.repository.staging import decide, staging_directory
from tritonkit.repository.sync import write_synced


def test_a_model_that_went_since_the_interruption_gets_no_file(
    repository: Path, make_model: MakeModel
) -> None:
    for name in ("gone", "there"):
        make_model(name)
    staging = staging_directory(repository)
    names = [f"{name}/config.pbtxt" for name in ("gone", "there")]
    for name in names:
        (staging / "new" / name).parent.mkdir(parents=True)
        write_synced(staging / "new" / name, b"# new")
    decide(staging, names)
    shutil.rmtree(repository / "gone")
    with changing(repository):
        assert (repository / "there" / "config.pbtxt").read_bytes() == b"# new"
    assert [path.name for path in repository.iterdir()] == ["there"]
    assert not staging.exists()


def test_files_come_together_in_their_order(repository: Path, make_model: MakeModel) -> None:
    make_model("m")
    with changing(repository) as place:
        write_files(place, {"m/notes": b"1", "m/config.pbtxt": b"# 2"})
    assert (repository / "m" / "notes").read_bytes() == b"1"
    assert (repository / "m" / "config.pbtxt").read_bytes() == b"# 2"


@pytest.mark.parametrize("name", ["new\nline", "back\\nslash\\", "sp ace", os.fsdecode(b"\xff")])
def test_a_folder_may_be_called_anything(repository: Path, name: str) -> None:
    (repository / name / "1").mkdir(parents=True)
    run(repository, "promote", name, "1")
    assert read_config(repository / name).version_policy.specific.versions == [1]
    assert [path.name for path in repository.parent.iterdir()] == ["repository"]


def test_a_model_that_cannot_be_written_is_told_before_anything_is(
    repository: Path, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_model("m")
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != folder and access(path, mode)
    )
    assert "m is not writable." in refused(repository, "promote", "m", "1")
    assert "m is not writable." in refused(repository, "prune", "--keep", "0")


def test_a_model_on_another_file_system_is_told_before_anything_is(
    repository: Path, make_model: MakeModel
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        if Path(elsewhere).stat().st_dev == repository.stat().st_dev:
            pytest.skip("there is no second file system")
        shutil.move(make_model("m"), elsewhere)
        (repository / "m").symlink_to(Path(elsewhere) / "m")
        assert "is on another file system" in refused(repository, "promote", "m", "1")
        assert "Nothing was done" in run(repository, "promote", "m", "1", "--dry-run")
