"""Python source, read and not run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from tritonkit.repository.regular import read_regular

__all__ = ["completes_itself", "imported", "may_define", "parse_source", "reaches_for_the_path"]

_LARGEST = 16 << 20
_MODEL = "TritonPythonModel"
_COMPLETES = "auto_complete_config"
# By which a file may get names that do not stand in it.
_ANY_NAME = frozenset({"exec", "eval", "globals", "locals", "setattr", "vars", "__dict__"})


def parse_source(path: Path) -> ast.Module | SyntaxError | None:
    """The tree of a file, or why it is no Python; None where that cannot be told."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        return _parsed(read_regular(path), str(path))
    except OSError:
        return None


@lru_cache(maxsize=16)
def _parsed(source: bytes, name: str) -> ast.Module | SyntaxError | None:
    try:
        with warnings.catch_warnings():
            # An invalid escape is no matter of ours.
            warnings.simplefilter("ignore")
            return ast.parse(source, filename=name)
    except SyntaxError as error:
        return error
    except (ValueError, MemoryError, RecursionError):
        return None


def imported(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """
    The modules that a file surely imports when it is imported itself.

    What stands in a branch, a `try` or a `with` may be left out or may fail. Code that runs
    before an import may change where modules are found, so nothing behind it counts.

    Yields:
        The name before the first dot, with line and column, counted from 1.
    """
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield alias.name.partition(".")[0], alias.lineno, alias.col_offset + 1
        elif isinstance(statement, ast.ImportFrom):
            if statement.module and not statement.level:
                name = statement.module.partition(".")[0]
                yield name, statement.lineno, statement.col_offset + 1
        elif _may_change_the_path(statement):
            return


def _may_change_the_path(statement: ast.stmt) -> bool:
    """Whether something is called, or `sys` is touched, but in functions for later."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) or (isinstance(node, ast.Name) and node.id == "sys"):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return False


def reaches_for_the_path(tree: ast.Module) -> bool:
    """Whether a file may change where modules are found, for who imports it."""
    names = {"sys", "site", "importlib", "pkgutil", "subprocess"}
    return any(
        isinstance(node, ast.alias) and node.name.partition(".")[0] in names
        for node in ast.walk(tree)
    )


def may_define(tree: ast.Module, name: str) -> bool:
    """Whether a file may have *name* when it was imported, in whatever way."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.alias) and (node.asname or node.name) in (name, "*"):
            return True
        if isinstance(node, ast.Name) and (node.id == name or node.id in _ANY_NAME):
            return True
        if isinstance(node, ast.Attribute) and node.attr in _ANY_NAME:
            return True
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            return True
    return False


def completes_itself(tree: ast.Module) -> bool:
    """Whether its TritonPythonModel may have an `auto_complete_config`, in whatever way."""
    found = [one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == _MODEL]
    if len(found) != 1 or found[0].decorator_list or found[0].keywords:
        return True
    if any(not isinstance(base, ast.Name) or base.id != "object" for base in found[0].bases):
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == _MODEL and isinstance(node.ctx, ast.Store):
            return True
        for name in ("name", "id", "attr", "asname", "value"):
            if getattr(node, name, None) in (_COMPLETES, *_ANY_NAME):
                return True
    return False
