"""What whoever watches the demo makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from tritonkit.gateway.demo.gateway import Page
from tritonkit.gateway.demo.keys import steered
from tritonkit.gateway.demo.status import next_faults
from tritonkit.gateway.demo.traffic import Traffic

__all__ = ["Steering"]


class Steering:
    """What keys do, while it runs."""

    def __init__(
        self, traffic: Traffic, page: Page, enough: asyncio.Event, say: Callable[[str], None]
    ) -> None:
        self._traffic = traffic
        self._page = page
        self._enough = enough
        self._say = say
        self._switching: asyncio.Task[None] | None = None

    def press(self, key: str) -> None:
        """Do what it means; keys without a meaning do nothing."""
        if key == "q":
            self._enough.set()
        elif key == "b":
            self._traffic.burst(monotonic())
            self._say("a burst")
        elif key == "f":
            if self._switching is None or self._switching.done():
                self._switching = asyncio.create_task(self._switch())
        else:
            flow = steered(self._traffic.flow, key)
            if flow != self._traffic.flow:
                self._traffic.steer(flow)
                topic = "other things" if flow.shifted else "the usual"
                self._say(f"from now on {flow.rate:g}/s, skew {flow.skew:g}, about {topic}")

    async def aclose(self) -> None:
        """Wait for a fault that is being switched."""
        if self._switching is not None:
            await self._switching

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
