"""Python source, read and not run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

__all__ = ["imported", "may_define", "parse_source"]


def parse_source(path: Path) -> ast.Module | SyntaxError | None:
    """The tree of a file, or why it is no Python; None where that cannot be told."""
    try:
        return _parsed(path.read_bytes(), str(path))
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

    Yields:
        The name before the first dot, with line and column, counted from 1.
    """
    yield from _imported(tree.body)


def _imported(body: Iterable[ast.stmt]) -> Iterator[tuple[str, int, int]]:
    for statement in body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield alias.name.partition(".")[0], alias.lineno, alias.col_offset + 1
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            name = statement.module.partition(".")[0]
            yield name, statement.lineno, statement.col_offset + 1
        elif isinstance(statement, ast.With | ast.ClassDef):
            yield from _imported(statement.body)


def may_define(tree: ast.Module, name: str) -> bool:
    """Whether a file may have *name* when it was imported, in whatever way."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.alias) and (node.asname or node.name) in (name, "*"):
            return True
        if isinstance(node, ast.Name) and node.id in (name, "globals", "exec", "setattr"):
            return True
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            return True
    return False
