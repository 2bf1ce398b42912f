"""A file whose content changes in one step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tritonkit.repository.replace import replace_file


def test_a_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(file)

    replace_file(link, b"new")

    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_new_file_is_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    replace_file(tmp_path / "file", b"new")

    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    replace_file(Path("/dev/null"), b"new")
    assert not Path("/dev/null").is_file()

    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "no such folder" / "file", b"new")
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path, b"new")
