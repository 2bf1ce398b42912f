"""
English texts that every Python brings along: its standard library's docstrings.

    pairs      a docstring's summary, and its own body: what a search for the summary should find
    sentences  of other docstrings and of pydoc's topics: to calibrate with and to train on

No docstring is on both sides, and no sentence comes in a pair. Read from the source files, so
that nothing is imported; the order is by hash, so that a smaller count is a part of a larger one.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["pairs", "sentences"]

# Vendored or installed separately from Python, by some distributions.
_LEFT_OUT = {"ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests", "turtledemo"}
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def pairs(count: int) -> list[tuple[str, str]]:
    """
    Up to *count* summaries of 4 words or more, each with its body of 8 to 200 words.

    No summary and no body comes twice.
    """
    return list(_pairs()[:count])


def sentences(count: int) -> list[str]:
    """Up to *count* different sentences of 4 to 60 words, none of which comes in a pair."""
    return list(_sentences()[:count])


@cache
def _pairs() -> tuple[tuple[str, str], ...]:
    by_summary: dict[str, str] = {}
    bodies: set[str] = set()
    for docstring in _docstrings():
        summary, body = _parts(docstring)
        if _for_pairs(docstring) and summary not in by_summary and body not in bodies:
            by_summary[summary] = body
            bodies.add(body)
    return tuple(sorted(by_summary.items(), key=lambda pair: _hash(pair[0])))


@cache
def _sentences() -> tuple[str, ...]:
    taken = {
        _folded(part)
        for pair in _pairs()
        for text in pair
        for part in [text, *_SENTENCE_END.split(text)]
    }
    found: dict[str, str] = {}
    for text in [*_docstrings(), *_topics()]:
        if _for_pairs(text):
            continue
        for paragraph in re.split(r"\n\s*\n", text):
            if ">>>" in paragraph:
                continue
            for sentence in _SENTENCE_END.split(_joined(paragraph)):
                key = _folded(sentence)
                if 4 <= len(sentence.split()) <= 60 and key not in taken:
                    found.setdefault(key, sentence)
    return tuple(sorted(found.values(), key=_hash))


def _for_pairs(docstring: str) -> bool:
    """Whether a docstring makes a pair: every other one that can."""
    summary, body = _parts(docstring)
    long_enough = len(summary.split()) >= 4 and 8 <= len(body.split()) <= 200
    return long_enough and _hash(summary) < "8"


def _parts(docstring: str) -> tuple[str, str]:
    summary, _, body = docstring.partition("\n\n")
    return _joined(summary), _joined(body)


@cache
def _docstrings() -> tuple[str, ...]:
    """Cleaned, each once, in the order of the files."""
    root = Path(sysconfig.get_path("stdlib"))
    files = (
        file
        for file in sorted(root.rglob("*.py"))
        if not _LEFT_OUT & set(file.relative_to(root).parts)
        and file.relative_to(root).parts[0].removesuffix(".py") in sys.stdlib_module_names
    )
    return tuple(dict.fromkeys(text for file in files for text in _docstrings_of(file)))


def _docstrings_of(file: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        # Some sources have escapes that a later Python will refuse.
        warnings.simplefilter("ignore")
        tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)):
            yield text


def _topics() -> list[str]:
    from pydoc_data.topics import topics

    return [inspect.cleandoc(text) for _, text in sorted(topics.items())]


def _joined(text: str) -> str:
    return " ".join(text.split())


def _folded(text: str) -> str:
    return _joined(text).casefold()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
