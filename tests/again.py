"""
Sessions of tests beside each other; a test that fails among them is asked again, alone.

    python tests/again.py "tests/export" "tests/client" ...

Each argument is what one session's pytest is given. A test that failed is asked three
times more when every session has ended, in a process of its own each time; the run passes
only where it passes all three. Each such test is named at the end. More than five of them,
an error in collection or a session that ended otherwise than by its tests fail at once.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TIMES = 3
MOST = 5
"""Tests; where more fail, it is not the machine."""

_TESTS_FAILED = 1


@dataclass(frozen=True)
class Session:
    """
    One that has ended.

    Args:
        words: What its pytest was given.
        status: What it ended with.
        failed: The tests that failed, by their ids.
    """

    words: str
    status: int
    failed: list[str]

    @property
    def trouble(self) -> str:
        """Why nothing is asked again; empty where its tests alone decide."""
        if not self.status or (self.status == _TESTS_FAILED and self.failed):
            return ""
        return f"pytest {self.words}: ended with status {self.status}, and not by tests that failed"


def _pytest(words: Sequence[str], cache: Path) -> subprocess.Popen[bytes]:
    options = ["--quiet", "-o", f"cache_dir={cache}"]
    return subprocess.Popen([sys.executable, "-m", "pytest", *options, *words])


def _beside(sessions: Sequence[str], folder: Path) -> list[Session]:
    caches = [folder / f"cache-{number}" for number in range(len(sessions))]
    running = []
    try:
        for words, cache in zip(sessions, caches, strict=True):
            running.append(_pytest(shlex.split(words), cache))
        statuses = [process.wait() for process in running]
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
    return [
        Session(words, status, _failed(cache))
        for words, status, cache in zip(sessions, statuses, caches, strict=True)
    ]


def _failed(cache: Path) -> list[str]:
    # Written when a session ends by itself.
    kept = cache / "v" / "cache" / "lastfailed"
    return sorted(json.loads(kept.read_text())) if kept.exists() else []


def _again(test: str, folder: Path) -> list[str]:
    """What became of it, until it fails."""
    course: list[str] = []
    while len(course) < TIMES and "failed" not in course:
        print(f"\n== again, alone, {len(course) + 1} of {TIMES}: {test}", flush=True)
        with _pytest([test], folder / "cache-again") as process:
            course.append("failed" if process.wait() else "passed")
    return course


def run(sessions: Sequence[str], folder: Path) -> int:
    """
    Run sessions, and again what failed in them; *folder* is for their caches.

    Returns:
        0 where all is well, 1 otherwise.
    """
    ended = _beside(sessions, folder)
    failed = [test for session in ended for test in session.failed]
    troubles = [session.trouble for session in ended if session.trouble]
    if len(failed) > MOST:
        troubles.append(f"{len(failed)} tests failed, which is more than {MOST}")
    if troubles:
        print("\n== not asked again:", *troubles, sep="\n   ", flush=True)
        return 1
    courses = {test: _again(test, folder) for test in failed}
    if courses:
        print("\n== THESE FAILED BESIDE OTHER SESSIONS, each as is told above; then, alone:")
        for test, course in courses.items():
            print(f"   {', '.join(course)}: {test}", flush=True)
    return int(any("failed" in course for course in courses.values()))


def main() -> int:
    # What is terminated ends its sessions.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as name:
        # What is exported once for all sessions; see tests/conftest.py.
        os.environ["TRITONKIT_TESTS_FOLDER"] = name
        return run(sys.argv[1:], Path(name))


if __name__ == "__main__":
    sys.exit(main())
