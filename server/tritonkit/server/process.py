"""A running tritonserver: its processes, its folder, its log."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from tritonkit.server import log
from tritonkit.server.flags import Flags
from tritonkit.server.installation import Installation
from tritonkit.server.keeper import kept, remove_shared_memory

__all__ = ["ServerProcess"]

_REAP_SECONDS = 15.0
"""More than a keeper needs once it may kill."""


class ServerProcess:
    """
    A tritonserver under a keeper, started by the constructor.

    Args:
        installation: What to run.
        flags: What it is told.
        grace: Seconds from a request to stop until it is killed.
    """

    def __init__(self, installation: Installation, flags: Flags, *, grace: float) -> None:
        self.flags = flags
        self._grace = grace
        self._folder = tempfile.TemporaryDirectory(prefix="tritonkit-server-")
        folder = Path(self._folder.name)
        # Named after the folder, so that the keeper knows whose shared memory to remove.
        self._shm_prefix = f"{folder.name}-"
        self.log_path = folder / "tritonserver.log"
        arguments = [*flags.arguments(), *installation.prepare(folder, self._shm_prefix)]
        with self.log_path.open("wb") as output:
            self._keeper = subprocess.Popen(
                kept(
                    [str(installation.tritonserver), *arguments],
                    grace=grace,
                    folder=str(folder),
                    shm_prefix=self._shm_prefix,
                ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=installation.environment(os.environ),
                # Ctrl-C on a terminal goes to the owner, which stops the server.
                start_new_session=True,
            )

    def poll(self) -> int | None:
        """The exit code; None while the server runs."""
        return self._keeper.poll()

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code once the server ended; None if it still runs after *timeout* seconds."""
        try:
            return self._keeper.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def log_text(self) -> str:
        """All that the server said."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, lines: int = 30) -> str:
        """The last of what the server said."""
        return log.tail(self.log_path, lines)

    def stop(self) -> None:
        """End the server and remove what it leaves, the log included."""
        if self._keeper.poll() is None:
            self._keeper.send_signal(signal.SIGTERM)
        if self.wait(self._grace + _REAP_SECONDS) is None:
            self._keeper.kill()
            self._keeper.wait()
        # The keeper did it, unless it was killed.
        remove_shared_memory(self._shm_prefix)
        self._folder.cleanup()
