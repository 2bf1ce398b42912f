"""A Python environment, looked into without running it."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path

__all__ = ["minor_of", "names_in", "packages_of"]

# Code in a .pth of setuptools, matplotlib and the like, which finds no module of its own.
_HARMLESS = ("_distutils_hack", "mpl_toolkits", "coverage", "_virtualenv")
# Debian's own packages stand in dist-packages, those of pip below local.
_PACKAGES = (
    "lib/python3.*/site-packages",
    "lib64/python3.*/site-packages",
    "lib/python3.*/dist-packages",
    "lib/python3/dist-packages",
    "local/lib/python3.*/dist-packages",
)
# Of the standard library once: the Python that runs this one has them no more.
_FORMER = frozenset(
    (
        *("_dummy_thread", "aifc", "asynchat", "asyncore", "audioop", "binhex", "cgi", "cgitb"),
        *("chunk", "crypt", "distutils", "dummy_threading", "formatter", "imghdr", "imp"),
        *("lib2to3", "mailcap", "nis", "nntplib", "ossaudiodev", "parser", "pipes", "smtpd"),
        *("sndhdr", "spwd", "sunau", "symbol", "telnetlib", "uu", "xdrlib"),
    )
)
_VERSION = re.compile(r"python3\.(\d+)", re.ASCII)


def minor_of(prefix: Path) -> int | None:
    """Of the Python 3 whose packages *prefix* holds; None where it is not told."""
    # conda has a link python3.1 beside python3.10.
    folders = [one for one in prefix.glob("lib/python3.*") if not one.is_symlink()]
    found = {match[1] for one in folders if (match := _VERSION.fullmatch(one.name))}
    return int(found.pop()) if len(found) == 1 else None


def packages_of(prefix: Path) -> list[Path]:
    """The folders that hold the packages of the environment *prefix*; none where it is no one."""
    return [folder for pattern in _PACKAGES for folder in prefix.glob(pattern)]


def names_in(prefix: Path) -> frozenset[str] | None:
    """
    The modules that can be imported in the environment *prefix*.

    Returns:
        Their names at the top, or None where not all can be told: there is no such
        environment, it also uses the packages of another, a folder of it cannot be read or is
        an archive, or code decides what there is.
    """
    folders = packages_of(prefix)
    if not folders or _uses_another(prefix):
        return None
    # A thousand models look into the same environment, which others may change meanwhile.
    return _names(tuple((folder, folder.stat().st_mtime_ns) for folder in folders))


@lru_cache(maxsize=16)
def _names(changed: tuple[tuple[Path, int], ...]) -> frozenset[str] | None:
    folders = [folder for folder, _ in changed]
    names = {*sys.stdlib_module_names, *sys.builtin_module_names, *_FORMER, "__main__"}
    try:
        for folder in folders:
            for pth in folder.glob("*.pth"):
                added = _added(pth)
                if added is None or any(path.is_file() for path in added):
                    return None
                folders.extend(path for path in added if path.is_dir() and path not in folders)
            names.update(entry.name.partition(".")[0] for entry in folder.iterdir())
    except OSError:
        return None
    return frozenset(names)


def _uses_another(prefix: Path) -> bool:
    try:
        text = (prefix / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return re.search(r"^include-system-site-packages\s*=\s*true", text, re.M | re.I) is not None


def _added(pth: Path) -> list[Path] | None:
    """The folders that a .pth adds; None where it runs code that may find modules elsewhere."""
    added: list[Path] = []
    for line in pth.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(("import ", "import\t")):
            if not any(name in line for name in _HARMLESS):
                return None
        elif line.strip() and not line.startswith("#"):
            added.append(pth.parent / line.strip())
    return added
