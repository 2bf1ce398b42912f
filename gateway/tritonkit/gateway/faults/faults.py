"""Which faults are on, and what a request meets of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Literal, NamedTuple

from tritonkit.gateway.faults.fault import Fault
from tritonkit.gateway.live.document import FaultControl
from tritonkit.gateway.live.setting import Setting

__all__ = ["NONE", "Effect", "Faults"]


class Effect(NamedTuple):
    """
    What one request meets.

    Args:
        delay: Seconds that it waits before it goes anywhere.
        end: How it ends: "down" without a connection, "fail" without an answer, "" as it does.
    """

    delay: float
    end: Literal["", "down", "fail"]


NONE = Effect(0.0, "")


class _On(NamedTuple):
    fault: Fault
    value: float | None
    until: float
    """Of the clock that only grows."""
    said: float | None
    """The same of the wall clock, as it was said."""


class Faults:
    """
    The faults of one worker.

    A fault ends by itself, so that nobody forgets one, by a clock that nobody sets.

    Args:
        faults: That there are; each name once.
        longest: Seconds after which one ends by itself.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        faults: Sequence[Fault] = (),
        *,
        longest: float = 300.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.longest = longest
        self._clock = clock
        self._known = {fault.name: fault for fault in faults}
        self._on: dict[str, _On] = {}

    def add(self, fault: Fault) -> None:
        """Offer one more; the first of a name stays."""
        self._known.setdefault(fault.name, fault)

    def get(self, name: str) -> Fault | None:
        """The one of that name."""
        return self._known.get(name)

    @property
    def names(self) -> list[str]:
        """Of all."""
        return list(self._known)

    def apply(self, settings: Iterable[Setting], wall: float) -> None:
        """
        Be on or off as was said last.

        Args:
            settings: All that was said; what names no fault is passed over.
            wall: Seconds since 1970, now.
        """
        now = self._clock()
        found: dict[str, _On] = {}
        for setting in settings:
            fault = self._known.get(setting.name)
            if fault is None or not setting.on:
                continue
            before = self._on.get(setting.name)
            if before is not None and before.said == setting.until:
                # A wall clock that was set meanwhile makes it no longer.
                found[setting.name] = before._replace(value=setting.value)
                continue
            left = self.longest if setting.until is None else setting.until - wall
            until = now + min(left, self.longest)
            found[setting.name] = _On(fault, setting.value, until, setting.until)
        self._on = found

    def effect(self, model: str, endpoint: str, draw: Callable[[], float]) -> Effect:
        """
        What a request meets.

        Args:
            model: That it asks.
            endpoint: Where.
            draw: A number from 0 to 1, 1 excluded; asked once for each fault that is a share.
        """
        if not self._on:
            return NONE
        now = self._clock()
        delay, end = 0.0, ""
        for fault, value, until, _ in self._on.values():
            if now >= until or not fault.meets(model, endpoint):
                continue
            if fault.kind == "down":
                return Effect(0.0, "down")
            if fault.kind == "slow":
                delay += value or 0.0
            elif fault.kind == "fail" and draw() < (value or 0.0):
                end = "fail"
        return Effect(delay, "fail" if end else "")

    def down(self, endpoint: str) -> bool:
        """Whether a server takes no connections."""
        now = self._clock()
        return any(
            one.fault.kind == "down" and one.fault.endpoint == endpoint and now < one.until
            for one in self._on.values()
        )

    @property
    def redis_out(self) -> bool:
        """Whether Redis cannot be reached."""
        now = self._clock()
        return any(one.fault.kind == "redis" and now < one.until for one in self._on.values())

    def controls(self) -> list[FaultControl]:
        """All of them, as the page shows them."""
        now = self._clock()
        found: list[FaultControl] = []
        for fault in self._known.values():
            on = self._on.get(fault.name)
            if on is not None and now >= on.until:
                on = None
            found.append(
                {
                    "name": fault.name,
                    "label": fault.label,
                    "kind": fault.kind,
                    "value": fault.usual if on is None else on.value,
                    "on": on is not None,
                    "until": None if on is None else on.said,
                }
            )
        return found
