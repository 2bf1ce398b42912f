"""What a Split writes down: who was exposed, and what each of them got."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar

from tritonkit.client.experiments.events import Answer, Exposure, new_answer_id, wall_clock
from tritonkit.client.experiments.log import EventLog
from tritonkit.client.layers.rows import count_rows
from tritonkit.client.layers.split.known import REMEMBERED, Known
from tritonkit.client.trace import MODEL, Trace
from tritonkit.client.types import InferRequest
from tritonkit.errors import ServerUnavailable

__all__ = ["ANSWER", "Recording", "answer_id"]

LEAVING = 1.0
"""Seconds that closing waits for what is written behind."""

ANSWER: ContextVar[str] = ContextVar("answer", default="")
"""Id of the answer that is being made: a Split inside of an arm has the same."""


class Recording:
    """
    The events of one experiment.

    Args:
        experiment: Its name.
        log: Where they are kept.
    """

    def __init__(self, experiment: str, log: EventLog) -> None:
        self._experiment = experiment
        self.log = log
        self._exposed: Known[tuple[str, str], bool] = Known(REMEMBERED)
        self._described: set[str] = set()
        self._describing: set[asyncio.Task[None]] = set()

    def exposed(self, version: str, unit: str) -> bool:
        """Whether the unit is known to have been exposed."""
        return self._exposed.get((version, unit)) is not None

    def describe(self, version: str, weights: Mapping[str, float]) -> None:
        """Write down behind the path what a version is, once; *weights* with the control first."""
        if version in self._described:
            return
        self._described.add(version)
        task = asyncio.get_running_loop().create_task(self._describe(version, weights))
        self._describing.add(task)
        task.add_done_callback(self._describing.discard)

    async def aclose(self) -> None:
        """Wait a moment for what is written behind, in this event loop."""
        loop = asyncio.get_running_loop()
        mine = [task for task in self._describing if task.get_loop() is loop]
        if mine:
            await asyncio.wait(mine, timeout=LEAVING)
            for task in mine:
                task.cancel()

    async def _describe(self, version: str, weights: Mapping[str, float]) -> None:
        try:
            await self.log.describe(self._experiment, version, weights)
        except ServerUnavailable:
            # With the next exposure.
            self._described.discard(version)

    async def expose(
        self, version: str, unit: str, arm: str, answer: str, propensity: float | None = None
    ) -> None:
        """Write down that the unit meets the arm now, unless that is known already."""
        if self.exposed(version, unit):
            return
        await self.log.expose(
            Exposure(
                experiment=self._experiment,
                version=version,
                arm=arm,
                unit=unit,
                answer=answer,
                at=wall_clock(),
                propensity=propensity,
            )
        )
        self._exposed.put((version, unit), True)

    def record(
        self,
        request: InferRequest,
        version: str,
        unit: str,
        arm: str,
        answer: str,
        seconds: float,
        trace: Trace | None = None,
        *,
        error: str = "",
        propensity: float | None = None,
    ) -> None:
        """Write down what the unit got; *trace* says how, *error* why it got nothing."""
        event = Answer(
            answer=answer,
            experiment=self._experiment,
            version=version,
            arm=arm,
            unit=unit,
            seconds=seconds,
            cost=0 if trace is None else trace.cost,
            cache=MODEL if trace is None else _origin(trace),
            degraded="" if trace is None else trace.degraded[:1000],
            error=error,
            rows=count_rows(request),
            at=wall_clock(),
            propensity=propensity,
        )
        self.log.add((event,))


def answer_id() -> str:
    """That of the Split outside of this one, or another one."""
    return ANSWER.get() or new_answer_id()


def _origin(trace: Trace) -> str:
    origins = trace.origins
    if not origins:
        return MODEL
    first = origins[0]
    return first if origins.count(first) == len(origins) else "mixed"
