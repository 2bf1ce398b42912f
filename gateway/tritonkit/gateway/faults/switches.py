"""Which layers are on, for everybody and for one request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tritonkit.client.contexts import restore
from tritonkit.gateway.live.document import LayerControl
from tritonkit.gateway.live.setting import Setting

__all__ = ["Switch", "Switches", "bypassed"]

bypassed: ContextVar[frozenset[str]] = ContextVar("tritonkit.bypassed", default=frozenset())
"""Names of the layers that the request at hand goes without."""


class Switch:
    """
    Of one layer.

    Args:
        name: Tells it from others, such as "cache", or "accurate.breaker" in a route.
        label: For people.
        shares: Whether the layer hands answers from one caller to another.
        above: Names of those that a request comes through before.
    """

    __slots__ = ("above", "label", "name", "on", "shares")

    def __init__(self, name: str, label: str, *, shares: bool, above: tuple[str, ...]) -> None:
        self.name, self.label, self.shares, self.above = name, label, shares, above
        self.on = True

    @property
    def open(self) -> bool:
        """Whether the request at hand goes through the layer."""
        return self.on and self.name not in bypassed.get()


class Switches:
    """The switches of one worker, the outermost first."""

    def __init__(self) -> None:
        self._switches: dict[str, Switch] = {}

    def add(self, label: str, path: str, *, shares: bool, above: tuple[str, ...]) -> Switch:
        """
        One more.

        Args:
            label: What kind of layer it is.
            path: The way that it stands on, such as "accurate"; empty for the stack itself.
            shares: As `Switch` has it.
            above: Likewise.
        """
        base = f"{path}.{label}" if path else label
        name, count = base, 1
        while name in self._switches:
            count += 1
            name = f"{base}-{count}"
        words = f"{label} {count}" if count > 1 else label
        switch = Switch(name, f"{words} of {path}" if path else words, shares=shares, above=above)
        self._switches[name] = switch
        return switch

    @property
    def names(self) -> list[str]:
        """Of all."""
        return list(self._switches)

    def apply(self, settings: Iterable[Setting]) -> None:
        """Be on or off as was said last; what nobody speaks of is on."""
        off = {setting.name for setting in settings if not setting.on}
        for switch in self._switches.values():
            switch.on = switch.name not in off

    def controls(self) -> list[LayerControl]:
        """All of them, as the page shows them."""
        return [
            {"name": switch.name, "label": switch.label, "on": switch.on}
            for switch in self._switches.values()
        ]

    @contextmanager
    def without(self, names: Iterable[str]) -> Iterator[None]:
        """
        Whatever is asked within goes without these layers.

        A layer above that hands answers on is gone around too: what came about otherwise
        must not reach another caller, now or out of a cache.

        Args:
            names: Of layers; those that there are not are passed over.
        """
        left = {name for name in names if name in self._switches}
        for name in list(left):
            switch = self._switches[name]
            left |= {above for above in switch.above if self._switches[above].shares}
        token = bypassed.set(frozenset(left))
        try:
            yield
        finally:
            restore(bypassed, token)
