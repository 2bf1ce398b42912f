"""The namespace stays one: what breaks silently in an editable install is caught here."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HATCH = PYPROJECT["tool"]["hatch"]["build"]
AREAS = sorted(path.parent.name for path in ROOT.glob("*/tritonkit") if path.is_dir())


def test_the_wheel_and_the_editable_install_hold_every_area() -> None:
    assert sorted(HATCH["dev-mode-dirs"]) == AREAS
    assert sorted(HATCH["targets"]["wheel"]["packages"]) == [f"{a}/tritonkit" for a in AREAS]


def test_mypy_and_ruff_see_every_area() -> None:
    assert sorted(PYPROJECT["tool"]["mypy"]["mypy_path"]) == AREAS
    assert sorted(PYPROJECT["tool"]["ruff"]["src"]) == AREAS


def test_the_namespace_has_no_init() -> None:
    assert list(ROOT.glob("*/tritonkit/__init__.py")) == []


def test_no_module_path_stands_in_two_areas() -> None:
    modules = Counter(
        path.relative_to(ROOT / area)
        for area in AREAS
        for path in (ROOT / area / "tritonkit").rglob("*.py")
    )
    assert [path for path, count in modules.items() if count > 1] == []


def test_every_package_is_typed() -> None:
    """PEP 561: in a namespace each package carries its own marker."""
    packages = {
        path.parent for area in AREAS for path in ROOT.glob(f"{area}/tritonkit/*/__init__.py")
    }
    assert packages
    assert [path for path in packages if not (path / "py.typed").is_file()] == []


def test_every_area_is_under_an_import_contract() -> None:
    """A package that import-linter does not know may import anything."""
    packages = {
        f"tritonkit.{path.parent.name}"
        for area in AREAS
        for path in ROOT.glob(f"{area}/tritonkit/*/__init__.py")
    }
    linter = PYPROJECT["tool"]["importlinter"]
    layers = next(c for c in linter["contracts"] if c["type"] == "layers")["layers"]
    layered = {name.strip() for row in layers for name in row.split("|")}
    assert packages <= set(linter["root_packages"])
    assert packages <= layered


def test_the_modules_beside_the_areas_import_no_area() -> None:
    """The root command names its commands in a table of strings, so that it imports none."""
    base = sorted((ROOT / "client" / "tritonkit").glob("*.py"))
    areas = {f"tritonkit.{path.parent.name}" for path in ROOT.glob("*/tritonkit/*/__init__.py")}
    assert base
    for path in base:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        imported = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
        imported |= {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
        reached = {".".join(name.split(".")[:2]) for name in imported}
        assert reached & areas == set(), path.name


def test_every_dependency_is_pinned() -> None:
    """What the constraints leave open changes under whoever installs tomorrow."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {_normal(line.partition("==")[0]) for line in lines if "==" in line}
    project = PYPROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {_normal(re.split(r"[\[<>=!~ ;]", line, maxsplit=1)[0]) for g in groups for line in g}
    assert wanted - pinned == {"tritonkit"}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
