"""The live page of one worker: collects, tells the other workers, and shows all of them."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

from tritonkit.client.layers.split.split import Split
from tritonkit.client.layers.telemetry.snapshot import Snapshot
from tritonkit.gateway.faults.rig import Rig
from tritonkit.gateway.live import document
from tritonkit.gateway.live.alarms import MOST_ALERTS, Alarms
from tritonkit.gateway.live.broadcast import Broadcast
from tritonkit.gateway.live.budgets import Budgets
from tritonkit.gateway.live.collector import Collector
from tritonkit.gateway.live.history import TOTALS, Exchange, History
from tritonkit.gateway.live.keeper import Keeper
from tritonkit.gateway.live.layers import layers_in
from tritonkit.gateway.live.levels import point_of, step_for
from tritonkit.gateway.live.reading import (
    WorkerReading,
    alarms_of,
    breakers_of,
    endpoints_of,
    experiments_of,
    limits_of,
    whole,
)
from tritonkit.gateway.live.setting import Setting
from tritonkit.gateway.live.settings import LiveSettings
from tritonkit.gateway.live.state import state_of
from tritonkit.gateway.live.steady import Steady
from tritonkit.gateway.live.stores import Stores
from tritonkit.gateway.live.verdicts import Verdicts
from tritonkit.gateway.live.window import Window
from tritonkit.gateway.serving import Serving
from tritonkit.units import parse_duration, parse_size

__all__ = ["Live", "wall_clock"]

_log = logging.getLogger(__name__)

_WATCHED = 60.0
"""Seconds after its last question for which somebody is taken to watch."""

NOTHING: document.Controls = {"layers": [], "faults": [], "allowed": False}


def wall_clock() -> float:
    """Seconds since 1970."""
    return datetime.now(UTC).timestamp()


class Live:
    """
    Observes the worker's requests from `start` on.

    Once a second the worker writes down what went through and how it is, and learns the same of
    the others; whoever asks any of them is shown all of them. Nothing of it is in the way of
    a request: the file is another thread's, and what cannot be kept is shown as not kept.

    Args:
        serving: Of the worker.
        settings: Of the gateway's table.
        port: Names the file where the settings do not.
        rig: What the page may change; None where it may change nothing.
        wall: Seconds since 1970.
        clock: Seconds that only grow.

    Raises:
        ConfigError: If so many workers cannot share the history.
    """

    def __init__(
        self,
        serving: Serving,
        settings: LiveSettings,
        *,
        port: int = 8080,
        rig: Rig | None = None,
        wall: Callable[[], float] = wall_clock,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        settings.check_workers(serving.workers)
        self.serving, self.settings, self.rig = serving, settings, rig
        self.wall, self._clock = wall, clock
        path = None if settings.in_memory else settings.path(port)
        # The folder is made anew for each gateway, so it names what its workers share.
        gateway = os.urandom(8).hex() if serving.folder is None else serving.folder.name
        writer = os.urandom(8).hex()
        self._keeper = Keeper(
            lambda seen: History(
                path,
                writer=writer,
                seen=seen,
                gateway=gateway,
                worker=serving.worker,
                seconds=parse_duration(settings.seconds, name="seconds"),
                minutes=parse_duration(settings.minutes, name="minutes"),
                size=parse_size(settings.size, name="size"),
                wall=wall,
            ),
            path=path,
            steady=Steady(wall, clock),
            clock=clock,
        )
        self.broadcast = Broadcast(settings.listeners)
        self._collector = Collector(serving.worker)
        self._window = Window(clock())
        self._alarms = Alarms()
        self._stores = Stores()
        self._new_alerts: list[document.Alert] = []
        self._verdicts = Verdicts(serving.client.experiments, clock=clock)
        layers = list(layers_in(serving.client.stack.parts))
        self._budgets = Budgets(layers)
        self._splits = {
            layer.experiment: list(layer.arms) for layer in layers if isinstance(layer, Split)
        }
        self._started = wall()
        self._ticked = clock()
        self._learnt = Exchange(totals=dict.fromkeys(TOTALS, 0))
        self._reading: WorkerReading | None = None
        self._encoded: bytes | None = None
        self._asked = float("-inf")
        self._ticking: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Begin; within the worker's event loop."""
        self.serving.observers.append(self._collector.observe)
        self._new_alerts.append(
            {"at": self.wall(), "kind": "worker", "text": f"worker {self.serving.worker} began"}
        )
        self._ticking = asyncio.get_running_loop().create_task(self._tick_on())

    def drain(self) -> None:
        """End the streams, as the gateway is about to end."""
        self.broadcast.close()

    async def aclose(self) -> None:
        """End, and write what is not written."""
        if self._closed:
            return
        self._closed = True
        self.drain()
        if self._collector.observe in self.serving.observers:
            self.serving.observers.remove(self._collector.observe)
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
            await self._exchange()
        await self._budgets.aclose()
        await self._verdicts.aclose()
        await self._keeper.aclose()

    def state(self) -> document.State:
        """All workers, as of the last second."""
        self._asked = now = self._clock()
        own = self._reading or self._read(self.serving.telemetry.snapshot())
        waiting = self._collector.waiting()
        totals = {
            name: self._learnt.totals[name] + sum(getattr(each, name) for each in waiting)
            for name in TOTALS
        }
        return state_of(
            at=self.wall(),
            seconds=self._window.span(now),
            sample=self._window.total(now),
            readings=[own, *whole(self._learnt.readings)],
            totals=totals,
            alerts=[*reversed(self._new_alerts), *self._learnt.alerts][:MOST_ALERTS],
            controls=self.controls(),
            keeping=self._keeper.keeping,
        )

    def encoded(self) -> bytes:
        """The same in JSON, once a second for all who ask."""
        if self._encoded is None:
            self._encoded = document.to_json(self.state())
        self._asked = self._clock()
        return self._encoded

    def controls(self) -> document.Controls:
        """What the page may change."""
        return NOTHING if self.rig is None else self.rig.controls()

    async def history(self, minutes: float, points: int) -> document.History:
        """
        The past, all workers together, in so many steps at most.

        Raises:
            ServerUnavailable: If it cannot be read.
        """
        step = step_for(60 * minutes, points)
        now = self.wall()
        found = await self._keeper.samples(now - 60 * minutes, now, step)
        return {
            "step": float(step),
            "points": [point_of(float(at), step, sample) for at, sample in found.items()],
        }

    async def change(self, setting: Setting, said: str) -> document.Controls:
        """
        Change something for all workers; for this one at once, for the others in a second.

        Args:
            setting: A layer or a fault.
            said: For the page, among the alerts.

        Raises:
            ServerUnavailable: If it cannot be kept, so that no other worker would follow.
        """
        assert self.rig is not None
        settings = await self._keeper.change(setting)
        self.rig.apply(settings, self.wall())
        self._new_alerts.append({"at": self.wall(), "kind": "fault", "text": said})
        self._encoded = None
        return self.rig.controls()

    async def _tick_on(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        missed = ""
        while True:
            try:
                await self._tick()
                missed = ""
            except Exception as error:
                # The page may be wrong for a second; requests must not notice.
                if missed != repr(error):
                    _log.exception("the live page misses seconds")
                missed = repr(error)
            due = max(due + 1.0, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _tick(self) -> None:
        watched = self.broadcast.listeners > 0 or self._clock() - self._asked < _WATCHED
        await self._budgets.look(self._clock(), watched=watched)
        if watched:
            self._verdicts.look()
        await self._exchange()
        if self.rig is not None:
            self.rig.apply(self._learnt.settings, self.wall())
        self._encoded = None
        self.broadcast.publish(self.encoded)

    async def _exchange(self) -> None:
        # It takes some milliseconds where there are many models.
        snapshot = await asyncio.to_thread(self.serving.telemetry.snapshot)
        now = self._clock()
        seconds, self._ticked = now - self._ticked, now
        self._reading = reading = self._read(snapshot)
        self._new_alerts += self._alarms.look(self.wall(), reading, alarms_of(snapshot))
        self._collector.tick(self.wall(), reading["in_flight"], seconds)
        samples = self._collector.take()
        if samples:
            self._window.add(now, samples[-1][1])
        alerts, self._new_alerts = self._new_alerts, []
        learnt = await self._keeper.exchange(samples, reading, alerts)
        if learnt is None:
            self._collector.give_back(samples)
            self._new_alerts = [*alerts, *self._new_alerts][-MOST_ALERTS:]
            # Nobody knows whether the others are still there.
            self._learnt = replace(self._learnt, readings=())
            return
        now, wall = self._clock(), self.wall()
        for at, sample in learnt.samples:
            # Who begins learns of the last minute at once, and of all that waited for the file.
            self._window.add(now, sample, age=wall - at)
        self._learnt = learnt

    def _read(self, snapshot: Snapshot) -> WorkerReading:
        return {
            "worker": self.serving.worker,
            "started": self._started,
            "in_flight": snapshot.in_flight,
            "breakers": breakers_of(snapshot.readings),
            "limits": limits_of(snapshot.readings),
            "budgets": self._budgets.found,
            "shared": self._budgets.shared,
            "endpoints": endpoints_of(snapshot.readings),
            "stores": self._stores.look(snapshot.readings),
            "experiments": experiments_of(self._splits, self._collector.arms, self._verdicts.found),
            "recent": self._collector.recent(),
        }
