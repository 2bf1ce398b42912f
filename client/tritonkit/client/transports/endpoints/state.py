"""What can be seen of an endpoint."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EndpointState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """
    One endpoint at this moment.

    Args:
        name: Its URL.
        out: Whether it is left out for every model.
        without: Names of the models that it does not have.
        outstanding: Inference requests and questions in flight.
        calls: Inference requests that were sent to it.
        failures: Those that failed by its fault.
    """

    name: str
    out: bool
    without: tuple[str, ...]
    outstanding: int
    calls: int
    failures: int
