"""A Redis for a benchmark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tritonkit.client.testing.redis_server import RedisServer


@contextmanager
def redis_server(maxmemory: str = "0") -> Iterator[str]:
    """Start a Redis on a socket in a folder of its own; its URL."""
    options = ("--maxmemory", maxmemory, "--maxmemory-policy", "allkeys-lru")
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder), *options, tcp=False)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()
