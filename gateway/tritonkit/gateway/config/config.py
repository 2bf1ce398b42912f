"""What a gateway is told: the `[gateway]` table of a policy file."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from tritonkit.errors import ConfigError
from tritonkit.gateway.api.settings import ApiSettings
from tritonkit.gateway.http.bounds import Bounds
from tritonkit.gateway.live.settings import LiveSettings
from tritonkit.gateway.tenants.settings import Tenant
from tritonkit.units import parse_duration

__all__ = ["GatewayConfig", "Listening"]


@dataclass(frozen=True, init=False)
class Listening:
    """
    Where the gateway listens, and what it does in general.

    Args:
        host: Name or address; this machine alone by default.
        port: 0 takes a free one.
        workers: Processes that share the port.
        timeout: The longest that an inference may take, the wait for a connection included;
            None leaves that to the policy's layers.
        unaccounted: Whether inferences that no layer can read, such as those over shared
            memory, go on to a Triton though the policy has a Budget, which does not see them.
        faults: Whether whoever has the right "live" may slow and break things on purpose.

    Raises:
        ConfigError: If a value is out of range.
    """

    host: str
    port: int
    workers: int
    timeout: float | None
    unaccounted: bool
    faults: bool

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        workers: int = 1,
        timeout: str | float | timedelta | None = None,
        unaccounted: bool = False,
        faults: bool = False,
    ) -> None:
        if not host or any(c <= " " for c in host):
            raise ConfigError(f"host must be a name or an address, but got {host!r}.")
        if not 0 <= port <= 65535:
            raise ConfigError(f"port must be 0 to 65535, but got {port!r}.")
        if not 1 <= workers <= 256:
            raise ConfigError(f"workers must be 1 to 256, but got {workers!r}.")
        longest = None if timeout is None else parse_duration(timeout, name="timeout")
        for name, value in (
            ("host", host),
            ("port", port),
            ("workers", workers),
            ("timeout", longest),
            ("unaccounted", unaccounted),
            ("faults", faults),
        ):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """
    The whole table.

    Args:
        listening: Where, and how many processes.
        bounds: Of connections, requests and the end.
        tenants: Who may come; everybody where there is none.
        api: Of the routes for applications: text models, corpora, bounds.
        live: The page.
    """

    listening: Listening = field(default_factory=Listening)
    bounds: Bounds = field(default_factory=Bounds)
    tenants: tuple[Tenant, ...] = ()
    api: ApiSettings = field(default_factory=ApiSettings)
    live: LiveSettings = field(default_factory=LiveSettings)
