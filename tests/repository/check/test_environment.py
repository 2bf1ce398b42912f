"""Which modules an environment has, and what surely is imported."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from tests.repository.check.case import PYTHON, write_files

from tritonkit.repository.check.check import check
from tritonkit.repository.check.environment import minor_of, names_in
from tritonkit.repository.check.release import Release
from tritonkit.repository.check.source import completes_itself, imported, may_define, parse_source
from tritonkit.repository.check.target import Target

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
        ("with suppress(ImportError):\n    import a", []),
        ("import sys\nsys.path.append('lib')\nimport a", ["sys"]),
        ("import sys\nsys.path[:0] = ['lib']\nimport a", ["sys"]),
        ("if new:\n    install('a')\nimport a", []),
        ("'A model.'\nSIZE = 4\ndef f():\n    g()\nimport a", ["a"]),
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
        ("vars()['Triton' + 'PythonModel'] = Model", True),
        ("sys.modules[__name__].__dict__['Triton' + 'PythonModel'] = Model", True),
        ("class Model: pass", False),
        ("import mine", False),
    ],
)
def test_a_class_may_come_in_many_ways(source: str, may: bool):
    assert may_define(ast.parse(source), "TritonPythonModel") is may


@pytest.mark.parametrize(
    ("source", "may"),
    [
        ("class TritonPythonModel:\n    pass", False),
        ("class TritonPythonModel(object):\n    def execute(self, r): pass", False),
        ("class TritonPythonModel:\n    def auto_complete_config(config): pass", True),
        ("class TritonPythonModel(Base):\n    pass", True),
        ("@of_mine\nclass TritonPythonModel:\n    pass", True),
        ("class TritonPythonModel:\n    pass\nTritonPythonModel = better()", True),
        ("class TritonPythonModel:\n    pass\nsetattr(TritonPythonModel, name, f)", True),
        ("from mine import TritonPythonModel", True),
    ],
)
def test_a_configuration_may_be_completed_in_many_ways(source: str, may: bool):
    assert completes_itself(ast.parse(source)) is may


@pytest.mark.parametrize(
    "place",
    [
        "lib64/python3.10/site-packages",
        "lib/python3.10/dist-packages",
        "local/lib/python3.10/dist-packages",
    ],
)
def test_packages_stand_in_more_than_one_place(tmp_path: Path, place: str):
    """Debian's pip installs below /usr/local what the Python of /usr imports."""
    write_files(_environment(tmp_path), {f"{place}/torch/__init__.py": ""})

    names = names_in(tmp_path)

    assert names is not None
    assert {"numpy", "torch"} <= names


def test_the_standard_library_is_also_that_of_older_pythons(tmp_path: Path):
    names = names_in(_environment(tmp_path))

    assert names is not None
    assert {"__future__", "distutils", "imp", "asyncore", "telnetlib", "lib2to3"} <= names


def test_conda_s_link_is_no_other_python(tmp_path: Path):
    _environment(tmp_path)
    (tmp_path / "lib" / "python3.1").symlink_to("python3.10")

    assert minor_of(tmp_path) == 10


def test_packages_in_an_archive_are_not_told(tmp_path: Path):
    (tmp_path / "mine.egg").write_bytes(b"PK")

    assert names_in(_environment(tmp_path, mine__pth=f"{tmp_path / 'mine.egg'}\n")) is None


@pytest.mark.parametrize(
    ("helper", "found"),
    [("import sys\nsys.path.append('/opt/lib')\n", []), ("import json\n", ["TK140"])],
)
def test_a_module_of_the_model_s_may_find_more(tmp_path: Path, helper: str, found: list[str]):
    environment = _environment(tmp_path / "env")
    code = f"import c_python_backend_utils\nimport helper\nimport torch\n{PYTHON}"
    files = {"m/1/model.py": code, "m/1/helper.py": helper}
    write_files(tmp_path / "model_repository", files)

    report = check(tmp_path / "model_repository", target=Target(python=environment))

    assert [one.rule.id for one in report.findings if one.rule.id == "TK140"] == found


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def f(:\n", "SyntaxError: invalid syntax (model.py, line 1)"),
        ("# coding: nothing\n", "unknown encoding: nothing"),
    ],
)
def test_what_is_no_python_has_a_place(tmp_path: Path, source: str, text: str):
    write_files(tmp_path, {"m/1/model.py": source})

    (found,) = [one for one in check(tmp_path).findings if one.rule.id == "TK149"]

    assert (found.line, found.found.triton) == (1, text)
    assert found.column is not None
    assert found.column >= 1


def test_a_newer_python_may_read_more(tmp_path: Path):
    """A type statement is Python 3.12's, which Triton runs from 24.11 on."""
    write_files(tmp_path, {"m/1/model.py": f"type Rows = list[int]\n{PYTHON}"})

    found = {one.rule.id for one in check(tmp_path, target=Target(Release(24, 12))).findings}

    assert "TK149" not in found


def test_what_is_no_source_is_told_or_left(tmp_path: Path):
    wrong, cyclic = tmp_path / "wrong.py", tmp_path / "deep.py"
    wrong.write_text("def f(:")
    cyclic.write_bytes(b"# coding: nothing\n")

    assert isinstance(parse_source(wrong), SyntaxError)
    assert isinstance(parse_source(cyclic), SyntaxError)
    assert parse_source(tmp_path / "nowhere.py") is None
