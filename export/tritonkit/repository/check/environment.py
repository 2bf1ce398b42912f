"""A Python environment, looked into without running it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["minor_of", "names_in"]

_VERSION = re.compile(r"python3\.(\d+)", re.ASCII)


def minor_of(prefix: Path) -> int | None:
    """Of the Python 3 whose packages *prefix* holds; None where it is not told."""
    for folder in sorted(prefix.glob("lib/python3.*")):
        match = _VERSION.fullmatch(folder.name)
        if match is not None:
            return int(match[1])
    return None


@cache
def names_in(prefix: Path) -> frozenset[str] | None:
    """
    The modules that can be imported in the environment *prefix*.

    Returns:
        Their names at the top, or None where not all can be told: there is no such
        environment, it also uses the packages of another, or it holds packages that are
        installed from elsewhere.
    """
    folders = [
        *prefix.glob("lib/python3.*/site-packages"),
        *prefix.glob("lib/python3/dist-packages"),
    ]
    if not folders or _uses_another(prefix):
        return None
    names = set(sys.stdlib_module_names) | set(sys.builtin_module_names)
    for folder in folders:
        for entry in folder.iterdir():
            if entry.suffix == ".pth" and _leads_elsewhere(entry):
                return None
            names.add(entry.name.partition(".")[0])
    return frozenset(names)


def _uses_another(prefix: Path) -> bool:
    try:
        text = (prefix / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^include-system-site-packages\s*=\s*true", text, re.M | re.I) is not None


def _leads_elsewhere(pth: Path) -> bool:
    """Whether a .pth adds a folder, or code that finds modules elsewhere."""
    return any(_paths(pth))


def _paths(pth: Path) -> Iterator[str]:
    for line in pth.read_text(encoding="utf-8", errors="replace").splitlines():
        # These two ship with setuptools and with matplotlib and find nothing.
        known = "_distutils_hack" in line or "mpl_toolkits" in line or "coverage" in line
        if line.strip() and not line.startswith("#") and not known:
            yield line
