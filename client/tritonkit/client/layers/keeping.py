"""Into the shared stores goes only what the model that is named has surely computed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tritonkit.client.identity import Identities, Identity
from tritonkit.client.stores.store import Entry, Store
from tritonkit.errors import RequestError

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
            try:
                await self._confirm_first()
            except RequestError:
                if self._hurry.is_set():
                    return
                # The server is away; nobody computes anything else meanwhile.
                pause *= 10
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), pause)

    async def _confirm_first(self) -> None:
        first = self._batches[0].identity
        name = (first.model, first.asked_version)
        identity = await self._identities.read(*name)
        waiting: deque[_Batch] = deque()
        confirmed: list[_Batch] = []
        betrayed = False
        for batch in self._batches:
            one = batch.identity
            if (one.model, one.asked_version) != name or batch.answered > identity.asked:
                waiting.append(batch)
                continue
            self._pending -= len(batch.entries)
            if (one.token, one.loads) == (identity.token, identity.loads):
                confirmed.append(batch)
            else:
                betrayed = True
        self._batches = waiting
        if betrayed:
            self._betrayed(first.model)
        for batch in confirmed:
            for store in self._stores:
                await store.put(first.model, batch.entries, batch.lifetime)
