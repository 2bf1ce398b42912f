"""How exported models are to be served."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from tritonkit.errors import ConfigError

__all__ = ["ServingOptions", "Target", "fitted", "overcommitment"]

Target: TypeAlias = Literal["cpu", "gpu"]
"""Where Triton runs the graph; the parts around it run on the CPU."""

_LONGEST_DELAY = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingOptions:
    """
    What export writes into the configurations, beside what the model itself decides.

    Args:
        max_batch_size: Most rows that one run of a model takes. 64 is what a CPU gains from;
            a source without a batch axis has 0, whatever stands here.
        threads: Threads of one run of the graph; 0 for every core of the server.
        instances: Copies of the graph that run at the same time. One on all cores is the
            fastest for most; more pay off where an operator does not use its threads.
        target: What the graph runs on.
        max_queue_delay: Seconds that a request may wait for others to join its batch. 0
            batches what has come while the graph was busy, and delays nobody.
        version_policy: "latest", "latest:N" for the N newest, or "all"; which of a model's
            versions are loaded.
        warmup: Whether a model answers empty requests before it is called ready.

    Raises:
        ConfigError: If a value is not one of these.
    """

    max_batch_size: int = 64
    threads: int = 0
    instances: int = 1
    target: Target = "cpu"
    max_queue_delay: float = 0.0
    version_policy: str = "latest"
    warmup: bool = True

    def __post_init__(self) -> None:
        for name, least in (("max_batch_size", 1), ("threads", 0), ("instances", 1)):
            value = getattr(self, name)
            if value < least:
                raise ConfigError(f"{name} must be {least} or more, but got {value}.")
        if self.target not in get_args(Target):
            raise ConfigError(f"target must be 'cpu' or 'gpu', but got {self.target!r}.")
        if not 0 <= self.max_queue_delay <= _LONGEST_DELAY:
            raise ConfigError(
                f"max_queue_delay must be between 0 and {_LONGEST_DELAY:.0f} seconds, "
                f"but got {self.max_queue_delay}."
            )
        if self.target == "gpu" and self.threads:
            raise ConfigError(
                f"threads are of a graph on the CPU; with target 'gpu' leave them out, "
                f"but got {self.threads}."
            )
        if self.version_policy != "all" and self.newest_versions < 1:
            raise ConfigError(
                "version_policy must be 'latest', 'latest:N' with N of 1 or more, or 'all', "
                f"but got {self.version_policy!r}."
            )

    @property
    def newest_versions(self) -> int:
        """How many of the newest versions are loaded; 0 where all are."""
        kind, colon, count = self.version_policy.partition(":")
        if kind != "latest":
            return 0
        if not colon:
            return 1
        return int(count) if count.isascii() and count.isdecimal() else 0


def fitted(options: ServingOptions, *, cores: int) -> ServingOptions:
    """
    *options* with the cores shared out among several instances, where no threads are given.

    One instance keeps threads 0, which fits whatever machine serves it. Several would each
    take every core, so that each gets its share of *cores* instead.
    """
    if options.target == "gpu" or options.instances == 1 or options.threads:
        return options
    return replace(options, threads=max(1, cores // options.instances))


def overcommitment(options: ServingOptions, *, cores: int) -> str:
    """
    A warning where *options* want more threads than *cores*; empty where they do not.

    No error: the machine that exports is often not the one that serves.
    """
    wanted = options.instances * options.threads
    if wanted <= cores:
        return ""
    threads = "1 thread" if options.threads == 1 else f"{options.threads} threads"
    copies = f"{options.instances} instances of " if options.instances > 1 else ""
    return (
        f"{copies}{threads} want {wanted} cores and "
        f"this machine has {cores}; where it serves, they will slow each other down."
    )
