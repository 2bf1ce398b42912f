"""The server that is to load a repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tritonkit.errors import RepositoryError
from tritonkit.repository.check.release import EMBEDDED, Release

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """
    What is known of the server that is to load a repository.

    What is not known is None, and no rule guesses it.

    Args:
        release: Its release.
        backends: The backends that it has; None for those of NVIDIA's container.
        gpus: How many GPUs it sees.
        cores: How many processor cores it has.
        cache: Whether it was started with `--cache-config`.
        autocomplete: Whether it completes configurations: not with
            `--disable-auto-complete-config`.
        config_name: What `--model-config-name` says; empty where it is not given.
        latency: What an answer may take, in seconds.
        python: The environment that Python models run in: its prefix, such as a venv.

    Raises:
        RepositoryError: If a number is one that no server has.
    """

    release: Release = EMBEDDED
    backends: frozenset[str] | None = None
    gpus: int | None = None
    cores: int | None = None
    cache: bool | None = None
    autocomplete: bool = True
    config_name: str = ""
    latency: float | None = None
    python: Path | None = None

    def __post_init__(self) -> None:
        if self.gpus is not None and self.gpus < 0:
            raise RepositoryError(f"a server has 0 GPUs or more, but got {self.gpus}.")
        if self.cores is not None and self.cores < 1:
            raise RepositoryError(f"a server has 1 core or more, but got {self.cores}.")
        if self.latency is not None and not self.latency > 0:
            raise RepositoryError(
                f"a latency target is more than 0 seconds, but got {self.latency}."
            )
