from __future__ import annotations

from pathlib import Path

import pytest

from tritonkit.errors import RepositoryError
from tritonkit.repository import ModelDirectory, check_model_name, model_directories, next_version


def test_every_directory_is_a_model_and_no_file_is(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "README.md").touch()
    assert [model.name for model in model_directories(tmp_path)] == [".hidden", "a", "b"]


def test_versions_are_numbers_without_leading_zero(tmp_path: Path) -> None:
    for name in ("1", "10", "2", "0", "007", "v3", "configs", "٣"):
        (tmp_path / name).mkdir()
    (tmp_path / "4").touch()
    directory = ModelDirectory(tmp_path)
    assert directory.versions() == (0, 1, 2, 10)
    assert directory.misnamed() == ()


def test_triton_counts_what_begins_with_a_number_and_does_not_find_it(tmp_path: Path) -> None:
    for name in ("1", "1.old", "2.bak", "-3", " 4", "+5", "0.bak", "\u00a06"):
        (tmp_path / name).mkdir()
    directory = ModelDirectory(tmp_path)
    assert directory.versions() == (1,)
    assert directory.misnamed() == (-3, 2, 4, 5)


def test_a_missing_repository_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"absent cannot be read: No such file"):
        model_directories(tmp_path / "absent")


@pytest.mark.parametrize("name", ["m", "text-embed.v2", "minilm_int8", "7b"])
def test_a_plain_name_is_taken(name: str) -> None:
    assert check_model_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "-m", "a/b", "a b", "modèle", "m\n"])
def test_a_name_that_is_no_directory_or_url_part_is_refused(name: str) -> None:
    with pytest.raises(RepositoryError, match="a model name is made of"):
        check_model_name(name)


def test_the_next_version_is_after_the_newest_of_all(tmp_path: Path) -> None:
    for path in ("a/1", "a/3", "b/7", "b/08", "b/x", "c"):
        (tmp_path / path).mkdir(parents=True)
    assert next_version(tmp_path, ["a"]) == 4
    assert next_version(tmp_path, ["a", "b", "c", "absent"]) == 8
    assert next_version(tmp_path, ["c"]) == next_version(tmp_path / "absent", ["a"]) == 1
