"""How the live page is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration, parse_size

__all__ = ["LiveSettings", "default_history"]

_LEAST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """
    The table `[gateway.live]`.

    Args:
        on: Whether there is a page, and anything is collected for it.
        history: Path of an SQLite file that all workers share; empty for one in the user's
            state folder, named by the port; "none" keeps it in memory, for one worker.
        seconds: How long single seconds are kept.
        minutes: How long minutes are kept; then they are dropped.
        size: The most bytes of the file; what is oldest makes room.
        listeners: Pages that may be open at each worker.
        traffic: Whether the page has controls of a traffic generator, where faults are allowed:
            the demo's, which asks for what they say.

    Raises:
        ConfigError: If an argument is out of range.
    """

    on: bool = True
    history: str = ""
    seconds: str | float | timedelta = "1h"
    minutes: str | float | timedelta = "7d"
    size: str | int = "128MB"
    listeners: int = 200
    traffic: bool = False

    def __post_init__(self) -> None:
        seconds = parse_duration(self.seconds, name="seconds")
        minutes = parse_duration(self.minutes, name="minutes")
        if minutes < seconds:
            raise ConfigError(
                f"minutes must be kept as long as seconds at least, "
                f"but got {self.minutes!r} and {self.seconds!r}."
            )
        if parse_size(self.size, name="size") < _LEAST_BYTES:
            raise ConfigError(f"size must be at least 1MB, but got {self.size!r}.")
        if self.listeners < 0:
            raise ConfigError(f"listeners must not be negative, but got {self.listeners!r}.")

    @property
    def in_memory(self) -> bool:
        """Whether nothing is kept in a file."""
        return self.history == "none"

    def check_workers(self, workers: int) -> None:
        """
        Whether so many processes can share it.

        Raises:
            ConfigError: If they cannot.
        """
        if self.on and self.in_memory and workers > 1:
            raise ConfigError(
                "history = 'none' is kept in the memory of one worker, and there are "
                f"{workers}; give the path of a file that they share, or turn the page off."
            )

    def path(self, port: int) -> Path:
        """
        Of the file of a gateway at *port*.

        Raises:
            ConfigError: If nobody knows where the user's files are.
        """
        if not self.history:
            return default_history(port)
        return _home(self.history)


def default_history(port: int) -> Path:
    """
    Where a gateway at *port* keeps its history unless it is told: in the user's state folder.

    Raises:
        ConfigError: If nobody knows where that is.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths ignored.
    folder = Path(state) if state.startswith("/") else _home("~/.local/state")
    return folder / "tritonkit" / f"gateway-{port}.sqlite"


def _home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{path} cannot be found: {error} Set HOME, or history to a whole path or 'none'."
        ) from error
