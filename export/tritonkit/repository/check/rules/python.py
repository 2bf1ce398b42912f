"""Python models: their code, which is read and not run, and their environment."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tritonkit.repository.check.environment import minor_of, names_in
from tritonkit.repository.check.finding import Found, Severity
from tritonkit.repository.check.folder import entries
from tritonkit.repository.check.release import Release
from tritonkit.repository.check.rule import rule
from tritonkit.repository.check.source import (
    imported,
    may_define,
    parse_source,
    reaches_for_the_path,
)
from tritonkit.repository.check.subject import Subject
from tritonkit.repository.present import is_file, is_folder, is_there

__all__ = [
    "environment_missing",
    "environment_of_another_python",
    "folder_not_for_the_shell",
    "import_missing",
    "model_class_missing",
    "model_is_no_python",
]

_ENVIRONMENT = "EXECUTION_ENV_PATH"
_PATH = ("parameters", _ENVIRONMENT, "string_value")
_SHELLS = frozenset(" \t\n&|;<>()$`\\\"'")
_STUB = "triton_python_backend_stub"
# What the stub has beside the modules of its Python.
_TRITONS = frozenset({"triton_python_backend_utils", "c_python_backend_utils"})
_MODEL_DIRECTORY = "$$TRITON_MODEL_DIRECTORY"
# Of the stub in NVIDIA's container.
_PYTHON_310 = Release(23, 2)
_PYTHON_312 = Release(24, 11)


@rule("TK128", "environment-missing", Severity.ERROR, "the Python environment is not there")
def environment_missing(model: Subject) -> Iterator[Found]:
    """
    EXECUTION_ENV_PATH names the environment that a Python model runs in: an archive of
    conda-pack, or a folder with bin/activate. $$TRITON_MODEL_DIRECTORY, with two dollar signs,
    stands for the model's folder; any other relative path is looked for from where the server
    was started.
    """
    environment = _environment(model)
    if environment is None:
        return
    written = str(model.given.parameters[_ENVIRONMENT].string_value)
    if not is_there(environment):
        if not _server_only(model, environment):
            yield Found(
                _PATH,
                message=f"there is no environment {written}.",
                advice=f"Write a path in the model's folder as {_MODEL_DIRECTORY}/name.",
                triton=f"Failed to get the canonical path for {environment}.",
                value=written,
            )
    elif is_folder(environment) and not (environment / "bin" / "activate").exists():
        script = environment.resolve() / "bin" / "activate"
        yield Found(
            _PATH,
            message=f"environment {written} has no bin/activate.",
            advice="Make it with conda-pack, or with python -m venv --copies.",
            triton=f"Path {script} does not exist. "
            "The Python environment should contain an 'activate' script.",
            value=written,
        )


@rule(
    "TK129",
    "environment-of-another-python",
    Severity.ERROR,
    "the Python environment is of another Python than Triton's",
)
def environment_of_another_python(model: Subject) -> Iterator[Found]:
    """
    Triton's stub runs a Python model, and is built for one minor version of Python: 3.10 in
    containers from 23.02 to 24.10, 3.12 from 24.11 on. It cannot load the packages of an
    environment of another one. A model that brings its own triton_python_backend_stub may
    have the Python that it is built for.
    """
    environment = _environment(model)
    expected = _minor(model)
    if environment is None or expected is None or _own_stub(model):
        return
    minor = minor_of(environment) if is_folder(environment) else None
    if minor is not None and minor != expected:
        yield Found(
            _PATH,
            message=f"the environment is of Python 3.{minor}, "
            f"Triton {model.target.release} runs Python 3.{expected}.",
            advice=f"Make it with Python 3.{expected}, or build a stub and put it beside "
            "config.pbtxt.",
            value=f"3.{minor}",
        )


@rule("TK140", "import-missing", Severity.ERROR, "the environment lacks what the model imports")
def import_missing(model: Subject) -> Iterator[Found]:
    """
    A Python model imports what the environment has that its code runs in: the one of
    EXECUTION_ENV_PATH, where it is a folder, or the server's own, which --python names. The
    modules beside model.py and beside config.pbtxt are its own, and triton_python_backend_utils
    is Triton's. An import in a function, a branch, a try or a with block is not looked at, nor
    one behind code that runs and may change where modules are found.
    """
    environment = _environment(model) or model.target.python
    path = _code(model)
    if environment is None or path is None or model.directory is None:
        return
    tree = parse_source(path)
    names = names_in(environment)
    if not isinstance(tree, ast.Module) or names is None:
        return
    own = {
        entry.name.partition(".")[0]
        for folder in (path.parent, model.directory.path)
        for entry in entries(folder)
    }
    for name, line, column in imported(tree):
        if name in own and _changes_the_path(name, path.parent, model.directory.path):
            return
        if name not in names and name not in own and name not in _TRITONS:
            yield Found(
                (),
                message=f"{environment} has no module '{name}'.",
                advice=f"Install it there, or name an environment that has it by {_ENVIRONMENT}.",
                triton=f"ModuleNotFoundError: No module named '{name}'",
                value=name,
                file=path,
                line=line,
                column=column,
            )


@rule("TK148", "model-class-missing", Severity.ERROR, "model.py has no TritonPythonModel")
def model_class_missing(model: Subject) -> Iterator[Found]:
    """Triton makes an object of the class TritonPythonModel of model.py for each instance."""
    path = _code(model)
    tree = parse_source(path) if path is not None else None
    if (
        path is not None
        and isinstance(tree, ast.Module)
        and not may_define(tree, "TritonPythonModel")
    ):
        yield Found(
            (),
            message=f"{path.name} has no class TritonPythonModel.",
            advice="Call the model's class so; it has a method execute(self, requests).",
            triton=f"AttributeError: module '{path.parent.name}.{path.stem}' "
            "has no attribute 'TritonPythonModel'",
            value="TritonPythonModel",
            file=path,
            line=1,
            column=1,
        )


@rule("TK149", "model-is-no-python", Severity.ERROR, "model.py is not Python")
def model_is_no_python(model: Subject) -> Iterator[Found]:
    """
    Triton imports model.py before it asks it anything. What Python cannot read, it says as
    Python does.
    """
    path, minor = _code(model), _running_minor(model)
    error = parse_source(path) if path is not None else None
    if path is None or not isinstance(error, SyntaxError):
        return
    if minor is None or minor > sys.version_info.minor:
        # What a newer Python reads this one cannot tell.
        return
    at = f" ({path.name}, line {error.lineno})" if error.lineno else ""
    yield Found(
        (),
        message=f"{path.name} is not Python: {error.msg}.",
        advice="Mend it; python -m py_compile tells the same.",
        triton=f"{type(error).__name__}: {error.msg}{at}" if at else error.msg,
        file=path,
        line=max(error.lineno or 1, 1),
        column=max(error.offset or 1, 1),
    )


@rule(
    "TK133",
    "folder-not-for-the-shell",
    Severity.ERROR,
    "A Python model whose folder has a blank or another character of the shell in its name",
)
def folder_not_for_the_shell(model: Subject) -> Iterator[Found]:
    """
    Triton starts a Python model by a command of the shell, in which the model's path stands as
    it is. At a blank, a quote, a bracket and the like the command ends or means something else:
    the load is not answered for more than a minute.
    """
    if model.backend != "python" or model.directory is None:
        return
    wrong = sorted({one for one in model.name if one in _SHELLS})
    if wrong:
        yield Found(
            (),
            message=f"the folder of '{model.name}' has {' '.join(map(repr, wrong))} in its name.",
            advice="Call it by letters, digits, '_', '-' and '.'.",
            value=model.name,
            file=model.directory.path,
        )


def _changes_the_path(name: str, *folders: Path) -> bool:
    """Whether a module of the model's own may add to where modules are found."""
    for folder in folders:
        for path in (folder / f"{name}.py", folder / name / "__init__.py"):
            tree = parse_source(path) if is_file(path) else None
            if isinstance(tree, ast.Module) and reaches_for_the_path(tree):
                return True
    return False


def _environment(model: Subject) -> Path | None:
    """The path that EXECUTION_ENV_PATH says; None where it says none."""
    if model.backend != "python" or _ENVIRONMENT not in model.given.parameters:
        return None
    written = str(model.given.parameters[_ENVIRONMENT].string_value)
    if model.directory is None or not written:
        return None
    return Path(written.replace(_MODEL_DIRECTORY, str(model.directory.path)))


def _server_only(model: Subject, path: Path) -> bool:
    """Whether *path* may be there on the server's own machine alone."""
    assert model.directory is not None
    inside = path.is_relative_to(model.directory.path)
    return path.is_absolute() and not inside


def _minor(model: Subject) -> int | None:
    """Of the Python of NVIDIA's container."""
    if model.target.backends is not None or model.target.release < _PYTHON_310:
        return None
    return 10 if model.target.release < _PYTHON_312 else 12


def _running_minor(model: Subject) -> int | None:
    """Of the oldest Python that the model may run in; None where it brings its own."""
    if _own_stub(model):
        return None
    return 12 if model.target.release >= _PYTHON_312 else 10


def _own_stub(model: Subject) -> bool:
    return model.directory is not None and is_there(model.directory.path / _STUB)


def _code(model: Subject) -> Path | None:
    """The model's file, where it is Python that Triton runs."""
    path = model.model_path
    return path if model.backend == "python" and path is not None and is_file(path) else None
