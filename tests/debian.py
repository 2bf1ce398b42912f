"""
Gets the programs that tests drive from Debian, where there are none.

Chromium is installed, for which root is needed, or a sudo that asks for no password. Of
Prometheus the two programs are taken out of its package and laid into .build/debian, which
anybody may: installed, it would start a service.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PROMETHEUS = ("prometheus", "promtool")

_TAKEN = Path(__file__).parents[1] / ".build" / "debian"


def find(name: str) -> str | None:
    """A program of Prometheus: in PATH, or taken out of its package."""
    return shutil.which(name) or shutil.which(name, path=str(_TAKEN))


def _run(words: Sequence[str], *, cwd: Path | None = None) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(words, env=quiet, cwd=cwd, stdout=subprocess.DEVNULL, check=True)


def _root(words: Sequence[str]) -> None:
    _run([*(["sudo", "-n"] if os.geteuid() else []), *words])


def _take(package: str, programs: Sequence[str]) -> None:
    _TAKEN.mkdir(parents=True, exist_ok=True)
    # Beside where they go, so that each is there whole or not at all.
    with tempfile.TemporaryDirectory(dir=_TAKEN.parent) as name:
        folder = Path(name)
        # apt warns where its own user cannot write.
        apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
        if os.geteuid():
            # Lists of our own, for which nobody must be root.
            (folder / "lists" / "partial").mkdir(parents=True)
            for option in (f"State::Lists={folder}/lists", f"Cache={folder}/cache"):
                apt += ["-o", f"Dir::{option}"]
        _run([*apt, "update"])
        _run([*apt, "download", package], cwd=folder)
        (archive,) = folder.glob("*.deb")
        _run(["dpkg-deb", "--extract", str(archive), "all"], cwd=folder)
        for program in programs:
            (folder / "all" / "usr" / "bin" / program).replace(_TAKEN / program)


def _install(package: str) -> None:
    _root(["apt-get", "update", "-qq"])
    _root(["apt-get", "install", "-qq", "--yes", "--no-install-recommends", package])


def main() -> int:
    import browser

    missing = []
    for there, what, get in (
        (browser.find(), "a Chromium for the tests of pages", lambda: _install("chromium")),
        (
            all(map(find, PROMETHEUS)),
            "Prometheus, 2.42 or later, with promtool for the tests of alerts",
            lambda: _take("prometheus", PROMETHEUS),
        ),
    ):
        if there:
            continue
        why = "there is no apt-get here to get it"
        if shutil.which("apt-get"):
            print(f"== getting {what}", flush=True)
            try:
                get()
                continue
            except subprocess.CalledProcessError as error:
                why = f"{' '.join(error.cmd)} failed"
            except OSError as error:
                why = f"{error.filename}: {error.strerror}"
        missing.append(f"put {what} into PATH: {why}")
    for each in missing:
        print(each, file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
