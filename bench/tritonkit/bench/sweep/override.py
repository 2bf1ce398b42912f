"""Configurations of a running server replaced for a while, and put back in every case."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tritonkit.bench.sweep.control import ModelControl, config_digest
from tritonkit.bench.sweep.differences import differences
from tritonkit.bench.sweep.left_over import LeftOver, Record
from tritonkit.bench.sweep.settings import Config
from tritonkit.errors import (
    ConfigError,
    ModelUnavailable,
    RequestError,
    ServerError,
    TritonkitError,
)

__all__ = ["Override", "Superseded", "in_order", "restore_left_over"]


class Superseded(ServerError):
    """Somebody else loaded a model meanwhile; it is left as it is."""


class Override:
    """
    Replaces configurations of one server; an async context manager that puts them back.

    Before the first replacement a record of the originals is written to the disk, so
    that `restore_left_over` of a later command finds it if this process is killed.
    Restoring loads the original configuration by its content: a load without one
    leaves Triton 2.51 with the replaced one, as the files did not change.

    Args:
        control: The server.
        folder: Where the record is kept; the state folder of the user by default.

    Raises:
        ConfigError: On entering, if another process replaces configurations there.
        ServerError: On leaving, if the originals could not be put back; the record
            stays for the next command.
    """

    def __init__(self, control: ModelControl, folder: Path | None = None) -> None:
        self._control = control
        self._record = Record(control.address, folder)
        self._originals: dict[str, Config] = {}
        self._running: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._record.hold()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await _to_the_end(self.restore)
        finally:
            self._record.release()

    async def apply(self, wanted: Mapping[str, Mapping[str, Any]]) -> int:
        """
        Have *wanted* run, and every other model as it was.

        Args:
            wanted: Whole configurations by model.

        Returns:
            How many models were loaded.

        Raises:
            ConfigError: If the server does not let its models be loaded.
            Superseded: If somebody else loaded one of the models meanwhile.
            ServerError: If it refuses a configuration, or what runs then is not what
                was asked for. Everything is as it was before the sweep.
            RequestError: If it does not answer.
        """
        for model in wanted:
            if model not in self._originals:
                self._originals[model] = await self._control.config(model)
                self._running[model] = config_digest(self._originals[model])
        await self.check()
        target = {**self._originals, **wanted}
        loads = [m for m in target if config_digest(target[m]) != self._running[m]]
        if not loads:
            return 0
        self._record.write(self._originals, target)
        ready = await self._control.ready()
        current = {model: await self._control.config(model) for model in loads}
        try:
            for model in in_order(current, target):
                # A load that nobody waits for is not undone by the server.
                await _to_the_end(self._loading(model, target[model]))
            if lost := sorted(ready - await self._control.ready()):
                raise ServerError(
                    f"with these settings the server has no {', '.join(lost)} left; an ensemble "
                    "must not take larger batches than its parts: sweep it, with --on."
                )
        except ServerError:
            await self.restore()
            raise
        return len(loads)

    async def check(self) -> bool:
        """
        See that what runs is what was applied.

        Returns:
            False where the server was started again meanwhile and has the originals.

        Raises:
            Superseded: If somebody else loaded a model meanwhile.
            RequestError: If the server does not answer.
        """
        same = True
        for model, digest in list(self._running.items()):
            current = config_digest(await self._control.config(model))
            if current == digest:
                continue
            if current != config_digest(self._originals[model]):
                del self._originals[model], self._running[model]
                raise Superseded(
                    f"model {model!r} was loaded by somebody else during the sweep; its "
                    "configuration is left as it is."
                )
            self._running[model] = current
            same = False
        return same

    async def restore(self) -> None:
        """
        Put the originals back, and see that they run.

        Raises:
            ServerError: If they do not; the record stays for the next command.
        """
        if self._originals:
            await _restore(self._control, self._originals)
            self._running = {m: config_digest(c) for m, c in self._originals.items()}
        self._record.clear()

    def _loading(self, model: str, config: Mapping[str, Any]) -> Callable[[], Awaitable[None]]:
        async def load() -> None:
            await self._control.load(model, config)
            got = await self._control.config(model)
            self._running[model] = config_digest(got)
            if wrong := differences(config, got):
                raise ServerError(
                    f"model {model!r} was loaded, but not with what was asked for: "
                    f"{'; '.join(wrong)}."
                )

        return load


async def restore_left_over(control: ModelControl, folder: Path | None = None) -> str | None:
    """
    Restore what a sweep that was killed left changed on a server.

    A model that somebody else changed since stays as it is.

    Args:
        control: The server.
        folder: Where records are kept; the state folder of the user by default.

    Returns:
        What was found and done, for people; None where nothing was left over.

    Raises:
        ConfigError: If a sweep of another process is on it right now.
        ServerError: If restoring failed; the record stays.
    """
    record = Record(control.address, folder)
    left = record.read()
    if left is None:
        return None
    try:
        record.hold()
    except ConfigError:
        # Of another model of the sweep that this process is at.
        if left.pid == os.getpid():
            return None
        raise
    try:
        # Whoever held it until now may have restored.
        left = record.read()
        if left is None:
            return None
        said = await _restored(control, record, left)
        record.clear()
        return said
    finally:
        record.release()


async def _restored(control: ModelControl, record: Record, left: LeftOver) -> str:
    killed = f"a sweep that was killed (process {left.pid}) had left settings on {control.address}"
    ours: dict[str, Mapping[str, Any]] = {}
    others: list[str] = []
    away: list[str] = []
    same = True
    for model, original in left.originals.items():
        try:
            current = await control.config(model)
        except RequestError as error:
            if isinstance(error, ModelUnavailable) and await _never_had(control, model):
                # Another server by now, or one that was started again without it.
                away.append(model)
                continue
            raise ServerError(
                f"{killed}, and model {model!r} is not restored: {error}. Where that does not "
                f"matter any more, remove {record.path}."
            ) from error
        unchanged = config_digest(current) == config_digest(original)
        if unchanged or not differences(left.wanted.get(model, original), current):
            ours[model] = original
            same = same and unchanged
        else:
            others.append(model)
    await _restore(control, ours)
    if others or away:
        said = [f"{name} was changed by somebody else since and stays" for name in others]
        said += [f"{name} is not there any more" for name in away]
        said += [f"{name} is restored" for name in ours]
        return "; ".join([killed, *said])
    return f"{killed}; {', '.join(ours)} {'has them no more' if same else 'is restored'}"


async def _never_had(control: ModelControl, model: str) -> bool:
    """Whether the server has not had the model since it was started."""
    try:
        return model not in await control.states()
    except RequestError:
        return False


async def _restore(control: ModelControl, originals: Mapping[str, Mapping[str, Any]]) -> None:
    # Also what runs as it should: a load that was sent before, and is still at it, ends first.
    try:
        current = {model: await control.config(model) for model in originals}
        for model in in_order(current, originals):
            try:
                await control.load(model, originals[model])
            except ConfigError:
                # A server that was started again, in a mode that loads nothing.
                if config_digest(current[model]) != config_digest(originals[model]):
                    raise
        for model, config in originals.items():
            got = await control.config(model)
            if config_digest(got) != config_digest(config) and (wrong := differences(config, got)):
                raise ServerError(f"model {model!r}: {'; '.join(wrong)}")
    except TritonkitError as error:
        raise ServerError(
            f"the configuration of {', '.join(originals)} on {control.address} could not be "
            f"restored: {error}. The next tritonkit bench command against this server tries "
            "again; a restart of the server restores it too."
        ) from error


def in_order(
    current: Mapping[str, Mapping[str, Any]], target: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """
    The models of *current* in an order that keeps ensembles ready on the way to *target*.

    An ensemble goes away as soon as it takes larger batches than one of its parts:
    when sizes go down it comes before them, else after.
    """

    def rank(model: str) -> int:
        if target[model].get("platform") != "ensemble":
            return 1
        before, after = (c[model].get("max_batch_size", 0) for c in (current, target))
        return 0 if after < before else 2

    return sorted(current, key=rank)


async def _to_the_end(work: Callable[[], Awaitable[None]]) -> None:
    """Do *work* to its end, however often this task is cancelled meanwhile."""
    task = asyncio.ensure_future(work())
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    if task.cancelled():
        # With every task of a loop that ends; this one is told once.
        await work()
    else:
        task.result()
    if cancelled:
        raise asyncio.CancelledError
