"""Finds a Chromium for the tests of pages, and installs one where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    if find() is not None:
        return 0
    if shutil.which("apt-get") is None:
        print("the tests of pages need a Chromium in PATH", file=sys.stderr)
        return 1
    print("== installing chromium for the tests of pages", flush=True)
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", "chromium"],
    ):
        done = subprocess.run([*root, *words], env=quiet, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            return done.returncode
    return 0 if find() else 1


if __name__ == "__main__":
    sys.exit(main())
