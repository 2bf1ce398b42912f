from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tritonkit import extras
from tritonkit.errors import MissingExtra


def test_an_installed_module_is_returned() -> None:
    assert extras.require("json.decoder", extra="export") is sys.modules["json.decoder"]


def test_a_missing_package_names_its_extra() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'tritonkit\[export\]'"):
        extras.require("no_such_package.part", extra="export")


def test_a_broken_package_keeps_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is there but lacks a dependency must not be reported as missing."""
    (tmp_path / "half_installed.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        extras.require("half_installed", extra="export")
