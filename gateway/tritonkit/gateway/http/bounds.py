"""What the HTTP server takes, and for how long it waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration, parse_size

__all__ = ["Bounds"]


@dataclass(frozen=True, init=False)
class Bounds:
    """
    Bounds of a connection, a request and the end of a worker.

    Args:
        max_connections: Open at a time, for each worker; another one is told 503 and closed.
        max_header: Bytes of a request line with its headers; more is answered with 431.
        max_body: Bytes of a body as it comes, and of what a compressed one becomes; more is
            answered with 413. Triton's own limit is 64 MiB for JSON.
        header_timeout: From the first byte of a request, or from the connect, to the end of
            its headers.
        body_timeout: What a body may take whatever its size; beyond it must have come at
            *min_rate*.
        min_rate: Bytes a second of a body, after *body_timeout*. Slower is answered with 408.
            An answer must be read as quickly.
        keep_alive: How long a connection may wait for its next request.
        write_timeout: In each of such times a client that has more to read must have read at
            *min_rate*; it is sent away otherwise.
        drain_delay: How long readiness says no before a worker that is to end takes no more,
            so that a load balancer learns of it first.
        grace: How long requests in flight have to end after that.

    Raises:
        ConfigError: If a value is out of range.
    """

    max_connections: int
    max_header: int
    max_body: int
    header_timeout: float
    body_timeout: float
    min_rate: int
    keep_alive: float
    write_timeout: float
    drain_delay: float
    grace: float

    def __init__(
        self,
        *,
        max_connections: int = 1000,
        max_header: str | int = "64KiB",
        max_body: str | int = "64MiB",
        header_timeout: str | float | timedelta = "10s",
        body_timeout: str | float | timedelta = "10s",
        min_rate: str | int = "4KiB",
        keep_alive: str | float | timedelta = "75s",
        write_timeout: str | float | timedelta = "30s",
        drain_delay: str | float | timedelta = "0s",
        grace: str | float | timedelta = "30s",
    ) -> None:
        if isinstance(max_connections, bool) or max_connections < 1:
            raise ConfigError(f"max_connections must be at least 1, but got {max_connections!r}.")
        header = parse_size(max_header, name="max_header")
        if not 1024 <= header <= 2**20:
            raise ConfigError(f"max_header must be 1KiB to 1MiB, but got {max_header!r}.")
        values = {
            "max_connections": max_connections,
            "max_header": header,
            "max_body": parse_size(max_body, name="max_body"),
            "min_rate": parse_size(min_rate, name="min_rate"),
            "drain_delay": parse_duration(drain_delay, name="drain_delay"),
            "grace": parse_duration(grace, name="grace"),
        }
        for name, value in (
            ("header_timeout", header_timeout),
            ("body_timeout", body_timeout),
            ("keep_alive", keep_alive),
            ("write_timeout", write_timeout),
        ):
            seconds = parse_duration(value, name=name)
            if not seconds:
                raise ConfigError(f"{name} must be more than 0, but got {value!r}.")
            values[name] = seconds
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def body_due(self, began: float, received: int) -> float:
        """
        When a body is too slow, if nothing more of it comes.

        Args:
            began: When its headers had come.
            received: Bytes of it so far.

        Returns:
            On the clock of *began*.
        """
        if not self.min_rate:
            return float("inf")
        return began + self.body_timeout + received / self.min_rate

    @property
    def tick(self) -> float:
        """How often connections are looked at, in seconds: a quarter of the shortest timeout."""
        shortest = min(self.header_timeout, self.body_timeout, self.keep_alive, self.write_timeout)
        return min(0.5, max(0.02, shortest / 4))
