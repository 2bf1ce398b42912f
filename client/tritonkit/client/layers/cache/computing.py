"""The rows that nobody has yet: each is computed once, for all who ask for it meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from types import MappingProxyType

from tritonkit.client.identity.identities import Identities
from tritonkit.client.identity.identity import Identity
from tritonkit.client.layers.cache.flights import Computed, Flight, Flights, wait_all
from tritonkit.client.layers.cache.freshness import Freshness, State
from tritonkit.client.layers.cache.keeping import Keeping
from tritonkit.client.layers.cache.lookup import Lookup
from tritonkit.client.layers.cache.modes import Modes
from tritonkit.client.layers.cache.refreshing import Refreshing
from tritonkit.client.layers.rows import own, split_rows
from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.types import InferRequest, InferResponse, Priority, Service, Tensors
from tritonkit.errors import (
    DeadlineExceeded,
    InferenceFailed,
    ModelUnavailable,
    RequestError,
    ServerUnavailable,
)

__all__ = ["AnotherModel", "Computing"]

_POLL = (0.005, 0.05)
"""Seconds between two looks for what another process computes: the first and the longest."""


class AnotherModel(RequestError):
    """The model that answered is not the one that was looked for; ask which it is."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What a call needs to know of the request that began it."""

    identity: Identity
    whole: bool
    shared: bool


class Computing:
    """
    Computes what is missing of a lookup, and keeps it.

    A row that is being computed is waited for, not computed again. Each call is a
    task of its own and ends with the last who waits for it. If it fails, those
    who joined it try once more by themselves, and one of them for all; if only
    the time of its first caller ran out, they go on as long as theirs lasts.

    Args:
        private: Stores of this process, written at once.
        shared: Stores for many, written when *keeping* has confirmed the model.
        identities: Are told of a model that is gone.
        keeping: Writes the shared stores.
        modes: Are told of a model that does not answer by row.
        freshness: How long entries are kept, and which are as good as computed now.
        lease: Seconds that other processes leave a row to the first; None if they do not.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        private: Sequence[Store],
        shared: Sequence[Store],
        *,
        identities: Identities,
        keeping: Keeping,
        modes: Modes,
        freshness: Freshness,
        lease: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._private = tuple(private)
        self._shared = tuple(shared)
        self._identities = identities
        self._keeping = keeping
        self._modes = modes
        self._freshness = freshness
        self._lifetime = freshness.lifetime
        self._lease = lease
        self._clock = clock
        self._flights = Flights()
        self._refreshing = Refreshing()

    @property
    def in_flight(self) -> int:
        """Rows that are being computed."""
        return len(self._flights)

    async def complete(self, lookup: Lookup, inner: Service) -> None:
        """
        Find an entry for every row that has none.

        Raises:
            AnotherModel: If the lookup has the wrong keys.
            RequestError: What inner raises, unless what was kept for errors stands in.
        """
        deadline = lookup.request.deadline
        may_retry = True
        while missing := lookup.missing:
            if lookup.waited:
                self._look_again(lookup)
                missing = lookup.missing
                if not missing:
                    return
            lookup.waited = True
            flights, own_flight = self._board(lookup, missing, inner)
            try:
                in_time = await wait_all(flights, deadline)
            finally:
                for flight in flights:
                    flight.leave()
            failure: RequestError | None = None
            for flight, keys in flights.items():
                error = _land(flight, keys, lookup, joined=flight is not own_flight)
                if error is None:
                    continue
                if flight is own_flight or not may_retry:
                    failure = error
                elif not (isinstance(error, DeadlineExceeded) and flight.ends_before(deadline)):
                    may_retry = False
            if not in_time:
                failure = DeadlineExceeded(
                    "the deadline passed before the answer came", model=lookup.request.model
                )
            if failure is not None:
                if not lookup.fall_back():
                    raise failure
                return

    def refresh(self, lookup: Lookup, inner: Service) -> None:
        """Compute the stale rows of *lookup* anew, while nobody waits."""
        wanted = self._refreshing.wanted(lookup.stale)
        if not wanted:
            return
        # Taken now: the caller is answered before the call begins, and then its
        # arrays are its own again.
        batch = lookup.part(wanted)
        priority: Priority = "shadow" if batch.priority == "shadow" else "refresh"
        batch = replace(batch, deadline=None, priority=priority, spent=None)

        def lead(keys: Sequence[bytes]) -> Flight:
            part = batch
            if len(keys) < len(wanted):
                rows = {key: row for row, key in enumerate(wanted)}
                part = _rows_of(batch, [rows[key] for key in keys])
            return self._lead(lookup, part, keys, inner, lease=False)

        async def allowed(keys: Sequence[bytes]) -> list[bytes]:
            free = [key for key in keys if self._flights.find(key) is None]
            if not self._shared or not lookup.usable_by_all:
                return free
            # Long enough for the refresh, and over soon if this process dies.
            granted = await self._shared[0].lease([key[:16] for key in free], self._lease or 2.0)
            free = [key for key, mine in zip(free, granted, strict=True) if mine]
            return [key for key in free if self._flights.find(key) is None]

        self._refreshing.start(wanted, allowed, lead)

    async def aclose(self) -> None:
        """End refreshes, and write what waits to be written."""
        await self._refreshing.aclose()
        await self._keeping.aclose()

    def _look_again(self, lookup: Lookup) -> None:
        """Take what a call has left in memory since it was looked for, and while others waited."""
        for store in self._private:
            missing = lookup.missing
            entries = store.now(lookup.request.model, missing) if missing else None
            if entries is not None:
                lookup.offer(missing, entries, store.name, self._clock())

    def _board(
        self, lookup: Lookup, missing: Sequence[bytes], inner: Service
    ) -> tuple[dict[Flight, list[bytes]], Flight | None]:
        """Join the calls that compute some of *missing*, and begin one for the rest."""
        flights: dict[Flight, list[bytes]] = {}
        rest = []
        for key in missing:
            flight = self._flights.find(key)
            if flight is None:
                rest.append(key)
            else:
                flights.setdefault(flight, []).append(key)
        led = None
        if rest:
            led = self._lead(lookup, lookup.part(rest), rest, inner, lease=self._lease is not None)
            flights[led] = rest
        for flight in flights:
            flight.join()
        return flights, led

    def _lead(
        self,
        lookup: Lookup,
        part: InferRequest,
        keys: Sequence[bytes],
        inner: Service,
        *,
        lease: bool,
    ) -> Flight:
        work = _Work(lookup.identity, lookup.whole, lookup.usable_by_all)
        if lease and self._shared and work.shared:
            return self._flights.lead(
                keys, self._compute_leased(work, part, keys, inner), part.deadline
            )
        return self._flights.lead(keys, self._compute(work, part, keys, inner), part.deadline)

    async def _compute(
        self, work: _Work, part: InferRequest, keys: Sequence[bytes], inner: Service
    ) -> Computed:
        """Ask the model, split its answer, keep it."""
        identity = work.identity
        began = self._clock()
        self._identities.calling(identity)
        try:
            response = await inner(part)
        except ModelUnavailable:
            self._identities.doubt(identity.model)
            raise
        except ServerUnavailable:
            self._identities.expire(identity.model)
            raise
        now = self._clock()
        full = response.model == identity.model and not response.trace.degraded
        # Who says no version may be any.
        if full and response.version not in ("", identity.version):
            raise AnotherModel("another version answered", model=identity.model)
        rows, parameters = self._split(work, response, len(keys))
        entries = {
            key: Entry(outputs, now, parameters) for key, outputs in zip(keys, rows, strict=True)
        }
        computed = Computed(
            entries,
            response.model,
            response.version,
            (now - began) / max(1, len(keys)),
            tiers=_tiers(response.trace.tiers, keys),
            trace=response.trace,
        )
        # What stands in for the model's answer is nothing to keep under its name.
        if full:
            self._identities.answered(identity)
            for store in self._private:
                await store.put(identity.model, entries, self._lifetime)
            if self._shared and work.shared:
                public = {key[:16]: entry for key, entry in entries.items()}
                self._keeping.put(identity, public, self._lifetime)
        return computed

    def _split(
        self, work: _Work, response: InferResponse, count: int
    ) -> tuple[Sequence[Tensors], Mapping[str, str | int | float | bool]]:
        if work.whole:
            outputs = {name: own(array) for name, array in response.outputs.items()}
            return [MappingProxyType(outputs)], response.parameters
        rows = split_rows(response, count)
        if rows is None:
            self._modes.not_rows(work.identity)
            raise AnotherModel("the answer is not one of rows", model=work.identity.model)
        return rows, {}

    async def _compute_leased(
        self, work: _Work, part: InferRequest, keys: Sequence[bytes], inner: Service
    ) -> Computed:
        """Leave to other processes the rows that they compute already, for a while."""
        assert self._lease is not None
        store = self._shared[0]
        granted = await store.lease([key[:16] for key in keys], self._lease)
        mine = [key for key, here in zip(keys, granted, strict=True) if here]
        others = [key for key, here in zip(keys, granted, strict=True) if not here]
        try:
            if not others:
                return await self._compute(work, part, keys, inner)
            return await self._compute_and_await(work, part, keys, mine, others, inner)
        except BaseException:
            # Nobody need wait for their end.
            await asyncio.shield(store.release([key[:16] for key in mine]))
            raise

    async def _compute_and_await(
        self,
        work: _Work,
        part: InferRequest,
        keys: Sequence[bytes],
        mine: list[bytes],
        others: Sequence[bytes],
        inner: Service,
    ) -> Computed:
        rows = {key: row for row, key in enumerate(keys)}

        async def compute(some: Sequence[bytes]) -> Computed:
            if not some:
                return Computed({}, work.identity.model, work.identity.version, 0.0)
            only = part if work.whole else _rows_of(part, [rows[key] for key in some])
            return await self._compute(work, only, some, inner)

        async def leave() -> Computed:
            found, free = await self._await_others(work, others, part.deadline)
            mine.extend(free)
            late = await compute([key for key in others if key not in found])
            return replace(late, entries={**found, **late.entries})

        tasks = [asyncio.ensure_future(compute(tuple(mine))), asyncio.ensure_future(leave())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        computed, left = (task.result() for task in tasks)
        return computed.joined(left)

    async def _await_others(
        self, work: _Work, keys: Sequence[bytes], deadline: float | None
    ) -> tuple[dict[bytes, Entry], list[bytes]]:
        """
        What other processes have computed of *keys* before their leases end.

        Returns:
            The entries, and the keys that were given up and are leased here now.
        """
        assert self._lease is not None
        end = monotonic() + self._lease
        if deadline is not None:
            # Half of the time is left to compute it here after all.
            end = min(end, (monotonic() + deadline) / 2)
        store = self._shared[0]
        found: dict[bytes, Entry] = {}
        free: list[bytes] = []
        pause = _POLL[0]
        waiting = list(keys)
        while waiting and monotonic() < end:
            # Not all at once when the lease ends.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _POLL[1])
            entries = await store.get(work.identity.model, [key[:16] for key in waiting])
            now = self._clock()
            found.update(
                (key, entry)
                for key, entry in zip(waiting, entries, strict=True)
                # Until they have computed it, the store may have one that is too old.
                if entry and self._freshness.state(now - entry.created) is State.FRESH
            )
            waiting = [key for key in waiting if key not in found]
            if waiting:
                # Who failed has given its leases back.
                granted = await store.lease([key[:16] for key in waiting], self._lease)
                free += [key for key, here in zip(waiting, granted, strict=True) if here]
                waiting = [key for key, here in zip(waiting, granted, strict=True) if not here]
        if found:
            for private in self._private:
                await private.put(work.identity.model, found, self._lifetime)
        return found, free


def _tiers(tiers: Sequence[str], keys: Sequence[bytes]) -> Mapping[bytes, str]:
    """By key: one for each row, or one for all of them."""
    if len(tiers) == len(keys):
        return dict(zip(keys, tiers, strict=True))
    return dict.fromkeys(keys, tiers[0]) if tiers else {}


def _rows_of(request: InferRequest, rows: Sequence[int]) -> InferRequest:
    return request.but(inputs={name: a[list(rows)] for name, a in request.inputs.items()})


def _land(
    flight: Flight, keys: Sequence[bytes], lookup: Lookup, *, joined: bool
) -> RequestError | None:
    """Take what a call computed of *keys*; or the reason why it did not."""
    if not flight.task.done():
        return None
    if flight.task.cancelled():
        # By a layer below, for nobody here gave it up.
        return InferenceFailed("the call was cancelled on its way", model=lookup.request.model)
    try:
        computed = flight.result()
    except AnotherModel:
        raise
    except RequestError as error:
        return error
    for key in keys:
        lookup.take(key, computed, joined=joined)
    return None
