"""Asking several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from tritonkit.errors import ModelUnavailable

__all__ = ["answers"]

T = TypeVar("T")


async def answers(questions: Mapping[str, Coroutine[Any, Any, T]], *, grace: float) -> dict[str, T]:
    """
    What is answered within *grace* seconds after the first answer, in the order asked.

    The others are cancelled. Where nobody answers, it raises the most telling error.
    """
    tasks = {name: asyncio.ensure_future(question) for name, question in questions.items()}
    waiting = set(tasks.values())
    try:
        while waiting and not any(map(_answered, tasks.values())):
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if waiting:
            await asyncio.wait(waiting, timeout=grace)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    found = {name: task.result() for name, task in tasks.items() if _answered(task)}
    if not found:
        raise _most_telling([task.exception() for task in tasks.values()])
    return found


def _answered(task: asyncio.Task[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _most_telling(errors: Sequence[BaseException | None]) -> BaseException:
    """That a server is away, which may have what others lack."""
    found = [error for error in errors if error is not None]
    return next((error for error in found if not isinstance(error, ModelUnavailable)), found[0])
