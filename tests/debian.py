"""
Gets the programs that tests drive from Debian, where there are none.

Chromium is installed. Of Prometheus the two programs are taken out of its package and laid
into .build/debian: installed, it would start a service.
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


def _run(words: Sequence[str], *, root: bool = False, cwd: Path | None = None) -> None:
    before = ["sudo", "-n"] if root and os.geteuid() else []
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*before, *words], env=quiet, cwd=cwd, stdout=subprocess.DEVNULL, check=True)


def _take(package: str, programs: Sequence[str]) -> None:
    # apt warns where its own user cannot write.
    download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(download, cwd=folder)
        (archive,) = folder.glob("*.deb")
        _run(["dpkg-deb", "--extract", str(archive), "all"], cwd=folder)
        _TAKEN.mkdir(parents=True, exist_ok=True)
        for program in programs:
            shutil.move(folder / "all" / "usr" / "bin" / program, _TAKEN / program)


def main() -> int:
    import browser

    chromium = browser.find() is None
    prometheus = not all(map(find, PROMETHEUS))
    if not chromium and not prometheus:
        return 0
    if shutil.which("apt-get") is None:
        needed = ["a Chromium"] * chromium + ["Prometheus 2.42 or later with promtool"] * prometheus
        print(f"the tests need {' and '.join(needed)} in PATH", file=sys.stderr)
        return 1
    try:
        _run(["apt-get", "update", "-qq"], root=True)
        if chromium:
            print("== installing chromium for the tests of pages", flush=True)
            words = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", "chromium"]
            _run(words, root=True)
        if prometheus:
            print("== getting prometheus for the tests of alerts", flush=True)
            _take("prometheus", PROMETHEUS)
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(error.cmd)} failed", file=sys.stderr)
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
