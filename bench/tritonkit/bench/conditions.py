"""The conditions a measurement was taken under: what, how, and on which machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tritonkit.machine import Machine, package_versions

__all__ = ["Conditions"]

_PACKAGES = ("tritonkit", "numpy", "uvloop", "hdrhistogram")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """
    Everything that a reader needs to take the same measurement again.

    Args:
        url: Address of the server.
        model: Name of the model; `version` is the one asked for, empty for the
            server's choice.
        config_digests: SHA-256 of the configuration that the server completed,
            of the model and of the models that it is composed of.
        server: Name and version of the server.
        load: How requests were issued.
        warmup: Seconds of load before each window.
        duration: Seconds of each window; None where it ended by count.
        max_requests: Requests of each window; None where it ended by time.
        timeout: Seconds after which a request failed.
        seed: Of the generated inputs.
        inputs: Where each input's values came from, by name.
        distinct_requests: How many different requests took turns.
        started: UTC time, ISO 8601.
        machine: Where the load came from.
        versions: Of the packages and Python that made it.
        event_loop: "uvloop" or "asyncio".
        target: What was measured, by its own description: protocol, precision, policy.
        workload: What was sent, by its own description.
        plan: How each point was measured.
        command: The command line as it was typed, without its secrets.
        load_average: Of the machine over 1, 5 and 15 minutes when the run began; None
            where it does not tell.
        parts: Of a merge, the conditions of each run; the fields above are then the
            first one's.
    """

    url: str
    model: str
    version: str
    config_digests: Mapping[str, str]
    server: str
    load: str
    warmup: float
    duration: float | None
    max_requests: int | None
    timeout: float
    seed: int
    inputs: Mapping[str, str]
    distinct_requests: int
    started: str
    machine: Machine = field(default_factory=Machine.here)
    versions: Mapping[str, str] = field(default_factory=lambda: package_versions(_PACKAGES))
    event_loop: str = "asyncio"
    target: Mapping[str, Any] = field(default_factory=dict)
    workload: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    load_average: tuple[float, float, float] | None = None
    parts: tuple[Conditions, ...] = ()

    @property
    def each(self) -> tuple[Conditions, ...]:
        """Those of each run: of a merge its parts, and else these alone."""
        return self.parts or (self,)
