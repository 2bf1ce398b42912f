"""A disk that is full: /dev/full is one for whoever writes to it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from tritonkit.errors import ExportError
from tritonkit.export import Samples, export_model
from tritonkit.export.scratch import is_no_space, scratch_folder
from tritonkit.export.sources.onnx_file import OnnxFile
from tritonkit.export.sources.source import Converted
from tritonkit.export.stages.rewrite import rewrite

FULL = Path("/dev/full")


def test_a_folder_is_gone_afterwards() -> None:
    with scratch_folder("tritonkit-") as folder:
        (folder / "f").write_bytes(b"x")
    assert not folder.exists()


def test_a_full_disk_is_said_in_words() -> None:
    with (
        pytest.raises(ExportError, match=r"no space left .* in \S+tritonkit-\w+; set TMPDIR"),
        scratch_folder("tritonkit-") as folder,
    ):
        FULL.write_bytes(b"x")
    assert not folder.exists()


def test_numpy_says_it_in_other_words() -> None:
    with pytest.raises(OSError, match="requested and") as caught:
        np.zeros(100_000).tofile(FULL)
    assert is_no_space(caught.value)


def test_other_errors_are_left_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), scratch_folder("tritonkit-"):
        (tmp_path / "absent").read_bytes()


def test_where_no_folder_can_be_made_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with (
        pytest.raises(ExportError, match="no temporary folder can be made: No such file"),
        scratch_folder("tritonkit-"),
    ):
        pass


def test_a_stage_says_it(onnx_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"^halving failed: there is no space left"):
        rewrite(onnx_file, tmp_path / "m", lambda _: FULL.write_bytes(b"x"), what="halving")
    assert not (tmp_path / "m").exists()


def test_an_export_that_fills_the_disk_writes_nothing(onnx_file: Path, tmp_path: Path) -> None:
    class Filling(OnnxFile):
        def convert(self, folder: Path, samples: Samples) -> Converted:
            FULL.write_bytes(b"x")
            raise AssertionError

    with pytest.raises(ExportError, match=r"no space left .* Nothing was written\.$"):
        export_model(Filling(onnx_file), tmp_path / "repository", name="m")
    assert list(tmp_path.iterdir()) == []
