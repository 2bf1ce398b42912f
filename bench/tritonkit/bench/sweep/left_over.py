"""What a sweep that was killed left changed on a server, kept in a file for the next command."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError

__all__ = ["LeftOver", "Record", "recorded_servers", "state_folder"]

_FORMAT = "tritonkit-bench-override/1"
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """
    Configurations that are about to be replaced, or are.

    Args:
        server: Address of the server.
        pid: Process that replaces them.
        originals: What ran before, by model, in the order of the first replacement.
        wanted: What was sent last, by model.
    """

    server: str
    pid: int
    originals: Mapping[str, Mapping[str, Any]]
    wanted: Mapping[str, Mapping[str, Any]]


class Record:
    """
    The file of one server, held by one process at a time.

    The kernel lets go of it when that process dies, so that a file that nobody
    holds was left over.

    Args:
        address: The server.
        folder: Where such files are; made with the first write.
    """

    def __init__(self, address: Address, folder: Path | None = None) -> None:
        self._folder = state_folder() if folder is None else folder
        server = f"{_same_host(address.host)}:{address.port}{address.path}"
        self._path = self._folder / f"override-{hashlib.sha256(server.encode()).hexdigest()[:16]}"
        self._descriptor: int | None = None
        self.address = address

    @property
    def path(self) -> Path:
        """The file; it is there while something is changed."""
        return self._path.with_suffix(".json")

    def read(self) -> LeftOver | None:
        """
        What the file says; None where there is none.

        Raises:
            ConfigError: If it cannot be read.
        """
        path = self.path
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != _FORMAT:
                raise ValueError(f"its format is not {_FORMAT}")
            return LeftOver(**content)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path}, which says how to restore {self.address}, cannot be read ({error}); see "
                "what it holds, restore the server by starting it again, and remove the file."
            ) from error

    def hold(self) -> Self:
        """
        Keep other processes off, until `release`.

        Raises:
            ConfigError: If another process holds it, or the folder cannot be written.
        """
        if self._descriptor is not None:
            return self
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ConfigError(
                f"another sweep changes the configuration of {self.address} right now; "
                "wait until it is done."
            ) from error
        self._descriptor = descriptor
        return self

    def write(
        self,
        originals: Mapping[str, Mapping[str, Any]],
        wanted: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """
        Write the file whole, onto the disk.

        Raises:
            ConfigError: If it cannot be written; what stood there stays.
        """
        content = LeftOver(
            server=str(self.address), pid=os.getpid(), originals=originals, wanted=wanted
        )
        path = self.path
        aside = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with aside.open("w", encoding="utf-8") as file:
                json.dump({"format": _FORMAT, **asdict(content)}, file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            self._sync_folder()
        except OSError as error:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise self._unusable(error) from error

    def clear(self) -> None:
        """Remove the file; the server is as it was."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self._sync_folder()

    def release(self) -> None:
        """Let other processes at it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _sync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _unusable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"how to restore the server cannot be kept in {self._folder} ({error.strerror}), so "
            "nothing is changed; set XDG_STATE_HOME to a folder that can be written."
        )


def recorded_servers(host: str, folder: Path | None = None) -> list[str]:
    """
    Addresses of the servers on *host* that there are files of.

    For a command that knows a server by another port than the one that loads models.
    """
    found = []
    for path in sorted((state_folder() if folder is None else folder).glob("override-*.json")):
        try:
            address = Address.parse(json.loads(path.read_text(encoding="utf-8"))["server"])
        except (OSError, ValueError, KeyError, TypeError):
            # Whoever asks for this server by its own address is told.
            continue
        if _same_host(address.host) == _same_host(host):
            found.append(str(address))
    return found


def _same_host(host: str) -> str:
    here = host in _LOCAL or host.lower() == socket.gethostname().lower()
    return "localhost" if here else host.lower()


def state_folder() -> Path:
    """
    Where commands keep what must outlive them.

    Raises:
        ConfigError: If there is no home folder.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths ignored.
    if Path(state).is_absolute():
        return Path(state) / "tritonkit" / "bench"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ConfigError(
            "there is no home folder to keep how a server is restored; set XDG_STATE_HOME."
        ) from error
    return home / ".local" / "state" / "tritonkit" / "bench"
