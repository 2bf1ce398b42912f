"""Answers on their way into a recorder: how they came, and whether they are right."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Any, NamedTuple, Self

from tritonkit.bench.inputs.workload import Check, Item
from tritonkit.bench.record.recorder import Recorder, WrongAnswer
from tritonkit.bench.targets.target import Taken, Target
from tritonkit.errors import RequestError

__all__ = ["MAX_WAITING", "Answers"]

MAX_WAITING = 256
"""Answers that wait to be checked; the next is checked before it is let go."""


class _Waiting(NamedTuple):
    check: Check
    answer: Any
    way: Taken | None
    at_ns: int
    latency_ns: int
    service_ns: int


class Answers:
    """
    Writes answers into a recorder; those of items with a check once they are checked.

    An answer is decoded and compared after its time was taken, when the event loop
    comes to it, one at a time, so that a check delays other requests by at most its
    own length. A wrong answer counts as a failure of kind "WrongAnswer".

    An async context manager: leaving it checks what still waits.

    Args:
        target: What the answers come from.
        recorder: Where they go.
    """

    def __init__(self, target: Target, recorder: Recorder) -> None:
        self._target = target
        self._recorder = recorder
        self._waiting: deque[_Waiting] = deque()
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._check_in_turn())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while self._waiting and kind is None:
            self._check_one()

    def take(self, item: Item, answer: Any, at_ns: int, latency_ns: int, service_ns: int) -> None:
        """An answer to *item* came; the times are those of `Recorder.answered`."""
        way = self._target.way(answer)
        if item.check is None:
            self._recorder.answered(at_ns, latency_ns, service_ns, way)
            return
        self._waiting.append(_Waiting(item.check, answer, way, at_ns, latency_ns, service_ns))
        if len(self._waiting) > MAX_WAITING:
            self._check_one()
        self._filled.set()

    def _check_one(self) -> None:
        check, answer, way, at_ns, latency_ns, service_ns = self._waiting.popleft()
        try:
            wrong = check(self._target.outputs(answer))
        except RequestError as error:
            self._recorder.failed(at_ns, error)
            return
        if wrong is None:
            self._recorder.answered(at_ns, latency_ns, service_ns, way)
        else:
            self._recorder.failed(at_ns, WrongAnswer(wrong))

    async def _check_in_turn(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                self._check_one()
                await asyncio.sleep(0)
