"""Puts switches around a policy's layers, and faults around its servers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from time import monotonic

from tritonkit.client.layers.deadline.deadline import Deadline
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.route import Route
from tritonkit.client.stack import Layer, Transport
from tritonkit.client.stores.redis.outage import outage
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.errors import ConfigError
from tritonkit.gateway.faults.fault import Fault, check_value
from tritonkit.gateway.faults.faults import Faults
from tritonkit.gateway.faults.switched import Switched
from tritonkit.gateway.faults.switches import Switches
from tritonkit.gateway.faults.transport import FaultyTransport
from tritonkit.gateway.live.document import Controls
from tritonkit.gateway.live.reading import without_user
from tritonkit.gateway.live.setting import Setting

__all__ = ["Rig"]

_FIXED = (Telemetry, Deadline)
"""Layers that have no switch: the client looks for them, and the page measures by one."""

_TRAFFIC = (
    Fault(name="traffic.rate", label="Traffic: requests a second", kind="rate"),
    Fault(name="traffic.skew", label="Traffic: skew of popularity", kind="skew"),
    Fault(name="traffic.burst", label="Traffic: a burst", kind="burst"),
)


class Rig:
    """
    What the live page may change of one worker's stack.

    Only where faults are allowed: without it nothing stands between layers.

    Args:
        longest: Seconds after which a fault ends by itself.
        traffic: Whether the page steers a traffic generator too, which asks for what it is to do.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        longest: float = 300.0,
        traffic: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.faults = Faults(_TRAFFIC if traffic else (), longest=longest, clock=clock)
        self.switches = Switches()
        # What stands on several ways is one thing, and has one switch.
        self._switched: dict[int, Layer] = {}
        self._faulty: dict[int, Transport] = {}
        self._routes: set[int] = set()

    def around(
        self, server: Transport, layers: Sequence[Layer], *, models: Iterable[str] = ()
    ) -> tuple[Transport, list[Layer]]:
        """
        The server and the layers of a client, to be steered from here.

        Args:
            server: As the policy built it, and nobody used it yet.
            layers: Likewise.
            models: That callers ask, to be slowed and failed beside those that routes name.
        """
        self._offer_models(dict.fromkeys(models))
        switched = self._layers(layers, "", ())
        faulty = self._server(server)
        self.faults.add(Fault(name="slow", label="Every model answers later", kind="slow"))
        self.faults.add(Fault(name="fail", label="Every model fails", kind="fail"))
        self.faults.add(Fault(name="redis", label="Redis cannot be reached", kind="redis"))
        return faulty, switched

    def apply(self, settings: Sequence[Setting], wall: float) -> None:
        """Be as was said last; *wall* is in seconds since 1970."""
        self.switches.apply(settings)
        self.faults.apply(settings, wall)
        outage.on = self.faults.redis_out

    def controls(self) -> Controls:
        """What the page shows of it."""
        # One may have ended by itself since the last word.
        outage.on = self.faults.redis_out
        return {
            "layers": self.switches.controls(),
            "faults": self.faults.controls(),
            "allowed": True,
        }

    def switched(self, name: object, on: object) -> Setting:
        """
        That a layer is on, or off.

        Raises:
            ConfigError: If there is no such layer, or *on* is no truth.
        """
        if name not in self.switches.names:
            raise ConfigError(f"layer must be one of {self.switches.names}, but got {name!r}.")
        return Setting(name=f"{name}", on=_truth(on))

    def broken(self, name: object, on: object, value: object, wall: float) -> Setting:
        """
        That a fault is on, or off.

        Raises:
            ConfigError: If there is no such fault, *on* is no truth, or the value none of it.
        """
        fault = self.faults.get(name) if isinstance(name, str) else None
        if fault is None:
            raise ConfigError(f"name must be one of {self.faults.names}, but got {name!r}.")
        if not _truth(on):
            return Setting(name=fault.name, on=False)
        until = wall + self.faults.longest
        return Setting(name=fault.name, on=True, value=check_value(fault, value), until=until)

    def _layers(self, layers: Sequence[Layer], path: str, above: tuple[str, ...]) -> list[Layer]:
        found: list[Layer] = []
        for layer in layers:
            if isinstance(layer, _FIXED):
                found.append(layer)
                continue
            known = self._switched.get(id(layer))
            if known is not None:
                found.append(known)
                continue
            label = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(layer).__name__).lower()
            switch = self.switches.add(label, path, shares=layer.shares_answers, above=above)
            above = (*above, switch.name)
            for _, name, route in layer.inside():
                self._route(route, f"{path}.{name}" if path else name, above)
            self._switched[id(layer)] = Switched(layer, switch)
            found.append(self._switched[id(layer)])
        return found

    def _route(self, route: Route, path: str, above: tuple[str, ...]) -> None:
        if route.model:
            self._offer_models([route.model], path)
        if id(route) in self._routes:
            # Told of twice, as the way of a shadow that something else listens to.
            return
        self._routes.add(id(route))
        route.layers = tuple(self._layers(route.layers, path, above))
        if route.server is not None:
            route.server = self._server(route.server)

    def _server(self, server: Transport) -> Transport:
        faulty = self._faulty.get(id(server))
        if faulty is None:
            if isinstance(server, Endpoints):
                server.around(self._around)
                faulty = server
            else:
                address = getattr(server, "address", None)
                faulty = self._around(repr(server) if address is None else str(address), server)
            self._faulty[id(server)] = faulty
        return faulty

    def _around(self, name: str, server: Transport) -> Transport:
        name = without_user(name)
        later, away = f"{name} answers later", f"{name} takes no connections"
        self.faults.add(Fault(name=f"slow:{name}", label=later, kind="slow", endpoint=name))
        self.faults.add(Fault(name=f"down:{name}", label=away, kind="down", endpoint=name))
        return FaultyTransport(server, name, self.faults)

    def _offer_models(self, models: Iterable[str], way: str = "") -> None:
        for model in models:
            title = f"{model} ({way})" if way else model
            later, fails = f"{title} answers later", f"{title} fails"
            self.faults.add(Fault(name=f"slow:{model}", label=later, kind="slow", model=model))
            self.faults.add(Fault(name=f"fail:{model}", label=fails, kind="fail", model=model))


def _truth(on: object) -> bool:
    if not isinstance(on, bool):
        raise ConfigError(f"on must be true or false, but got {on!r}.")
    return on
