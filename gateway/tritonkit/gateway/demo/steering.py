"""What whoever watches the demo makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

from tritonkit.gateway.demo.gateway import Page
from tritonkit.gateway.demo.keys import steered
from tritonkit.gateway.demo.status import Switch, asked_for, next_faults
from tritonkit.gateway.demo.traffic import Flow, Traffic

__all__ = ["Steering"]


_EVERY = 1.0
"""Seconds between two looks at the page."""


class Steering:
    """
    What keys and the page do, while it runs.

    What the page says of rate and skew holds while it says so; then what the keys say
    holds again.

    Args:
        traffic: That is steered.
        page: Of the gateway.
        enough: Set by the key that ends everything.
        say: Told what has changed.
    """

    def __init__(
        self, traffic: Traffic, page: Page, enough: asyncio.Event, say: Callable[[str], None]
    ) -> None:
        self.state: Mapping[str, Any] | None = None
        """What the page showed last; None where it did not answer."""
        self._traffic = traffic
        self._own = traffic.flow
        self._page = page
        self._enough = enough
        self._say = say
        self._switching: asyncio.Task[None] | None = None

    async def follow(self) -> None:
        """Do what the page says, until cancelled; whatever key is under way is done."""
        try:
            while True:
                self.state = await self._page.state()
                if self.state is not None:
                    faults = self.state["controls"]["faults"]
                    if any(fault["kind"] == "burst" and fault["on"] for fault in faults):
                        await self._burst_of_the_page(faults)
                    self._steer(asked_for(self._own, faults))
                await asyncio.sleep(_EVERY)
        finally:
            if self._switching is not None:
                await self._switching

    def press(self, key: str) -> None:
        """Do what a key means; those without a meaning do nothing."""
        if key == "q":
            self._enough.set()
        elif key == "b":
            self._burst()
        elif key == "f":
            if self._switching is None or self._switching.done():
                self._switching = asyncio.create_task(self._switch())
        else:
            self._own = steered(self._own, key)
            faults = [] if self.state is None else self.state["controls"]["faults"]
            self._steer(asked_for(self._own, faults))

    def _steer(self, flow: Flow) -> None:
        if flow != self._traffic.flow:
            self._traffic.steer(flow)
            topic = "other things" if flow.shifted else "the usual"
            self._say(f"from now on {flow.rate:g}/s, skew {flow.skew:g}, about {topic}")

    def _burst(self) -> None:
        self._traffic.burst(monotonic())
        self._say("a burst")

    async def _burst_of_the_page(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """It comes once each time that it is switched on."""
        self._burst()
        for fault in faults:
            if fault["kind"] == "burst":
                await self._page.switch(Switch(fault["name"], False).document())

    async def _switch(self) -> None:
        state = await self._page.state()
        if state is None:
            self._say("the gateway does not answer")
            return
        faults = state["controls"]["faults"]
        labels = {fault["name"]: fault["label"] for fault in faults}
        for switch in next_faults(faults):
            refusal = await self._page.switch(switch.document())
            what = "on" if switch.on else "off"
            self._say(refusal or f"{what}: {labels[switch.name]}")
