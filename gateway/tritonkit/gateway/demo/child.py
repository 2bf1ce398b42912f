"""A process that lives no longer than this one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tritonkit.server.keeper import kept

__all__ = ["Child"]

_REAP_SECONDS = 15.0
"""More than a keeper needs once it may kill."""


class Child:
    """
    A program under a keeper, started by the constructor, ended at the latest with this process.

    The keeper ends it, and whatever it started, also where this process is killed. A
    context manager.

    Args:
        command: What to run.
        folder: For its log. Removed when this process is gone.
        name: Of the log.
        grace: Seconds that it has to end by itself.
        environment: Variables beside those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        name: str,
        grace: float = 10.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self._grace = grace
        with self.log_path.open("wb") as output:
            self._keeper = subprocess.Popen(
                kept(command, grace=grace, folder=str(folder)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                # Ctrl-C on a terminal goes to the owner, which stops it.
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._keeper.poll()

    def log_tail(self, lines: int = 20) -> str:
        """The last of what it said."""
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """End it and wait until it is gone; again does nothing."""
        if self._keeper.poll() is None:
            self._keeper.send_signal(signal.SIGTERM)
        try:
            self._keeper.wait(self._grace + _REAP_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
