"""Into the shared stores goes only what the model that is named has surely computed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tritonkit.client.identity.identities import Identities
from tritonkit.client.identity.identity import Identity
from tritonkit.client.stores.store import Entry, Store
from tritonkit.errors import ModelUnavailable, RequestError

__all__ = ["Keeping"]

_MOST_PENDING = 100_000
"""Entries that wait for their confirmation; the newest are left out beyond."""

_CLOSING = 1.0
"""Seconds that closing waits for the last confirmation."""


@dataclass(frozen=True, slots=True)
class _Batch:
    entries: Mapping[bytes, Entry]
    lifetime: float | None
    identity: Identity
    answered: float

    @property
    def of(self) -> tuple[str, str]:
        """The model and version that were asked for."""
        return self.identity.model, self.identity.asked_version


class Keeping:
    """
    Writes answers to shared stores once their model is confirmed.

    Between the question which model is served and its answer to a request, the
    model may have been loaded anew. Kept under the digest of the model before,
    such an answer would be wrong for as long as the store lives. So the server is
    asked once more after the answer, for many answers at a time.

    Args:
        stores: Shared ones.
        identities: Ask the server.
        pause: Seconds between two questions at least.
        betrayed: Called with the name of a model that was another one: what this
            process keeps of it ends.
        clock: Seconds that only grow, the same that *identities* uses.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        identities: Identities,
        *,
        pause: float,
        betrayed: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._stores = tuple(stores)
        self._identities = identities
        self._pause = pause
        self._betrayed = betrayed
        self._clock = clock
        self._batches: deque[_Batch] = deque()
        self._pending = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self.left_out = 0

    def put(
        self, identity: Identity, entries: Mapping[bytes, Entry], lifetime: float | None
    ) -> None:
        """Keep *entries*, which the model of *identity* answered just now, before long."""
        if self._loop is not asyncio.get_running_loop():
            # A child of a fork leaves what its parent waits for to its parent.
            self._loop, self._task = asyncio.get_running_loop(), None
            self._hurry = asyncio.Event()
            self._batches, self._pending = deque(), 0
        if self._pending + len(entries) > _MOST_PENDING:
            self.left_out += len(entries)
            # What is in memory stays unconfirmed as well.
            self._betrayed(identity.model)
            return
        self._batches.append(_Batch(entries, lifetime, identity, self._clock()))
        self._pending += len(entries)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._confirm())

    async def aclose(self) -> None:
        """Confirm and write what is left, if the server answers within a second."""
        if self._loop is not asyncio.get_running_loop() or self._task is None:
            return
        self._hurry.set()
        # Not cancelled in the middle of a write.
        await asyncio.wait((self._task,), timeout=_CLOSING)
        self._task.cancel()
        self.left_out += self._pending

    async def _confirm(self) -> None:
        while self._batches:
            pause = self._pause
            first = self._batches[0].of
            try:
                await self._confirm_those(first)
            except ModelUnavailable:
                # Nobody can tell any more whose answers these were.
                self.left_out += sum(len(batch.entries) for batch in self._take(first))
            except RequestError:
                if self._hurry.is_set():
                    return
                # A model that cannot be asked about keeps no other waiting.
                self._wait_longer(self._take(first))
                pause *= 10
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), pause)

    async def _confirm_those(self, name: tuple[str, str]) -> None:
        identity = await self._identities.read(*name)
        confirmed: list[_Batch] = []
        early: list[_Batch] = []
        betrayed = False
        for batch in self._take(name):
            one = batch.identity
            if batch.answered > identity.asked:
                early.append(batch)
            elif (one.token, one.loads) == (identity.token, identity.loads):
                confirmed.append(batch)
            else:
                betrayed = True
        self._wait_longer(early)
        if betrayed:
            self._betrayed(identity.model)
        for batch in confirmed:
            for store in self._stores:
                await store.put(identity.model, batch.entries, batch.lifetime)

    def _take(self, name: tuple[str, str]) -> list[_Batch]:
        """The batches of one model, which wait no longer."""
        taken = [batch for batch in self._batches if batch.of == name]
        self._batches = deque(batch for batch in self._batches if batch.of != name)
        self._pending -= sum(len(batch.entries) for batch in taken)
        return taken

    def _wait_longer(self, batches: Sequence[_Batch]) -> None:
        """Behind all others."""
        self._batches.extend(batches)
        self._pending += sum(len(batch.entries) for batch in batches)
