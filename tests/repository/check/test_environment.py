"""Which modules an environment has, and what surely is imported."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from tests.repository.check.case import write_files

from tritonkit.repository.check.environment import minor_of, names_in
from tritonkit.repository.check.source import imported, may_define, parse_source

PACKAGES = "lib/python3.10/site-packages"


def _environment(folder: Path, **files: str) -> Path:
    names = {f"{PACKAGES}/{name.replace('__', '.')}": text for name, text in files.items()}
    write_files(folder, {f"{PACKAGES}/numpy/core.py": "", f"{PACKAGES}/six.py": "", **names})
    return folder


def test_the_names_of_an_environment_are_those_at_the_top(tmp_path: Path):
    names = names_in(_environment(tmp_path, fast__cpython_310_so=""))

    assert names is not None
    assert {"numpy", "six", "fast", "json"} <= names
    assert not {"core", "torch"} & names
    assert minor_of(tmp_path) == 10


def test_a_folder_that_is_added_counts(tmp_path: Path):
    (tmp_path / "elsewhere" / "mine").mkdir(parents=True)

    names = names_in(_environment(tmp_path, mine__pth=f"# mine\n{tmp_path / 'elsewhere'}\n"))

    assert names is not None
    assert "mine" in names


def test_what_code_may_find_is_not_told(tmp_path: Path):
    assert names_in(_environment(tmp_path, mine__pth="import finder; finder.install()\n")) is None


def test_another_environment_s_packages_are_not_told(tmp_path: Path):
    _environment(tmp_path)
    (tmp_path / "pyvenv.cfg").write_text("home = /usr\ninclude-system-site-packages = true\n")

    assert names_in(tmp_path) is None
    assert names_in(tmp_path / "nowhere") is None
    assert minor_of(tmp_path / "nowhere") is None


def test_the_environment_of_the_tests_has_numpy():
    names = names_in(Path(sys.prefix))

    assert names is None or {"numpy", "pytest"} <= names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a, b.c as d\nfrom e.f import g", ["a", "b", "e"]),
        ("from . import a\nfrom .b import c", []),
        ("try:\n    import a\nexcept ImportError:\n    import b", []),
        ("if TYPE_CHECKING:\n    import a", []),
        ("def f():\n    import a", []),
        ("class A:\n    import a\nwith b:\n    import c", ["a", "c"]),
    ],
)
def test_only_what_is_surely_imported_counts(source: str, names: list[str]):
    assert [name for name, _, _ in imported(ast.parse(source))] == names


@pytest.mark.parametrize(
    ("source", "may"),
    [
        ("class TritonPythonModel: pass", True),
        ("from mine import TritonPythonModel", True),
        ("from mine import Model as TritonPythonModel", True),
        ("from mine import *", True),
        ("TritonPythonModel = make()", True),
        ("globals()['Triton' + 'PythonModel'] = Model", True),
        ("class Model: pass", False),
        ("import mine", False),
    ],
)
def test_a_class_may_come_in_many_ways(source: str, may: bool):
    assert may_define(ast.parse(source), "TritonPythonModel") is may


def test_what_is_no_source_is_told_or_left(tmp_path: Path):
    wrong, cyclic = tmp_path / "wrong.py", tmp_path / "deep.py"
    wrong.write_text("def f(:")
    cyclic.write_bytes(b"# coding: nothing\n")

    assert isinstance(parse_source(wrong), SyntaxError)
    assert isinstance(parse_source(cyclic), SyntaxError)
    assert parse_source(tmp_path / "nowhere.py") is None
