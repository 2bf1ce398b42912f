from __future__ import annotations

import os
from pathlib import Path

from tritonkit.repository.check.target import Target
from tritonkit.repository.complete.model import complete_model
from tritonkit.repository.layout import ModelDirectory


def test_a_directory_whose_name_is_no_text(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"a\xff.custom")
    (directory / "1").mkdir(parents=True)
    config = complete_model(ModelDirectory(directory), Target()).config
    assert (config.name, config.backend) == ("a\ufffd.custom", "custom")
