"""Answers that were computed once and need not be computed again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Protocol, TypeVar, cast

from tritonkit.client.epochs import ALL, Epoch, Epochs, both_epoch, model_epoch, scope_epoch
from tritonkit.client.identity.identities import Identities
from tritonkit.client.identity.identity import Identity
from tritonkit.client.keys import keyed_digest, plain_digest, row_keys, whole_keys
from tritonkit.client.layers.cache.computing import AnotherModel, Computing
from tritonkit.client.layers.cache.freshness import Freshness
from tritonkit.client.layers.cache.keeping import Keeping
from tritonkit.client.layers.cache.lookup import Lookup
from tritonkit.client.layers.cache.modes import Mode, Modes
from tritonkit.client.layers.rows import join_rows
from tritonkit.client.readings import Reading
from tritonkit.client.spans import span
from tritonkit.client.stack import Immediate, Layer, Transport
from tritonkit.client.stores.memory import Memory, entry_bytes
from tritonkit.client.stores.redis.redis import Redis
from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.trace import Trace
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import ConfigError, NotKept, RequestError
from tritonkit.units import parse_duration

__all__ = ["Cache", "Recorder"]

T = TypeVar("T")
Duration = str | float | timedelta

_DEFAULT_BUDGET = 0.02
"""Seconds a request waits for shared stores, where they do not say."""


class Recorder(Protocol):
    """Takes down which rows were asked for; see `tritonkit.client.KeyTrace`."""

    def record(
        self, model: str, keys: Sequence[bytes], sizes: Sequence[int], seconds: Sequence[float]
    ) -> None:
        """The rows of one request: bytes of their entries, and what computing them took."""


class Cache(Layer):
    """
    Keeps answers by row, computes a row once, and never gives another model's answer.

    Calls inner for the rows that no store has and nobody computes, in one
    request, or not at all. Rows that are found and rows that are computed come
    back in the order of the request. Answers are kept under a key of everything
    that may change them; see `tritonkit.client.keys`. Where a model does not
    answer each row by itself, whole requests are kept. Belongs outside of
    everything that costs a call, inside of what chooses the model.

    Who waits for a row that is being computed waits with the priority of the one
    who asked first: a live caller in the line of a batch or a refresh, where a Limit
    below has a full one. Where that call is shed, a call of his own follows.

    Raises what inner raises, where no store can stand in.

    Args:
        stores: Asked in order; `Memory("64MB")` without any. Answers of a model
            that states no digest stay out of shared stores.
        ttl: How old an answer may be. A model that is a function of its input
            would allow None, for ever; a day limits what a mistake costs.
        stale: How long after *ttl* an answer is still served while it is
            computed anew.
        stale_if_error: How long after *ttl* an answer stands in for a model that
            fails.
        models: Names of the models whose answers are kept; all that can be by default.
        rows: Names of models that answer each row by itself; see
            `probe_row_independence`. Those whose configuration says so need no naming.
        identities: A name for the present state of a model that states no digest,
            such as {"embed": "2026-11"}; change it with the model.
        secret: Makes keys that nobody else can make; 32 bytes or more, for a
            store that is shared with others.
        recheck: How long it is believed which model is served. A model that is
            loaded anew may be answered for by the one before for so long.
        lease: How long other processes wait for one that computes a row, before
            they compute it as well; None lets each compute.
        record: Takes down every row that is asked for, for `tritonkit cache what-if`.
        clock: Seconds that only grow, for tests.

    Raises:
        ConfigError: If an argument is wrong.
    """

    shares_answers = True

    def __init__(
        self,
        *stores: Store,
        ttl: Duration | None = "24h",
        stale: Duration | None = None,
        stale_if_error: Duration | None = None,
        models: Collection[str] | None = None,
        rows: Collection[str] = (),
        identities: Mapping[str, str] | None = None,
        secret: bytes | None = None,
        recheck: Duration = "1s",
        lease: Duration | None = None,
        record: Recorder | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        for name, value in (("models", models), ("rows", rows)):
            if isinstance(value, str):
                raise ConfigError(f"{name} must be a list of names, but got {value!r}.")
        for store in stores:
            if not isinstance(store, Store):
                raise ConfigError(
                    f'stores must be such as Memory("64MB") or Redis(url), but got {store!r}.'
                )
        self.stores = stores or (Memory("64MB"),)
        self.counts: Counter[str] = Counter()
        """Rows by origin, as a trace names it; of whole answers one each."""
        self._private = [store for store in self.stores if not store.shared]
        self._shared = [store for store in self.stores if store.shared]
        self._budget = max(store.budget or _DEFAULT_BUDGET for store in self.stores)
        self._freshness = Freshness.of(ttl, stale, stale_if_error)
        self._recheck = parse_duration(recheck, name="recheck")
        self._digest = plain_digest if secret is None else keyed_digest(secret)
        self._named = dict(identities or {})
        self._modes = Modes(models, rows)
        self._epochs = Epochs(self._shared, self._recheck, clock)
        self._lease = None if lease is None else parse_duration(lease, name="lease")
        self._record = record
        self._clock = clock
        self._identities: Identities | None = None
        self._computing: Computing | None = None

    def __repr__(self) -> str:
        return f"Cache({', '.join(map(repr, self.stores))})"

    def attach(self, transport: Transport) -> None:
        """
        Learn whom to ask which model is served.

        Raises:
            ConfigError: If the layer stands over another transport already.
        """
        if self._identities is not None:
            if self._identities.transport is transport:
                return
            raise ConfigError(
                "a Cache belongs to one client; give each its own, over the same stores: "
                "Cache(*cache.stores)"
            )

        def betrayed(model: str) -> None:
            self._epochs.end(model_epoch(model))

        self._identities = Identities(
            transport,
            named=self._named,
            changed=betrayed,
            # Own answers are looked for sooner than that.
            unwatched=2 * max(self._recheck, 1.0),
            clock=self._clock,
        )
        keeping = Keeping(
            self._shared,
            self._identities,
            pause=self._recheck / 10,
            betrayed=betrayed,
            clock=self._clock,
        )
        self._computing = Computing(
            self._private,
            self._shared,
            identities=self._identities,
            keeping=keeping,
            modes=self._modes,
            freshness=self._freshness,
            lease=self._lease,
            clock=self._clock,
        )

    def observe(self) -> Iterator[Reading]:
        """What each store holds or did, and the rows that are being computed."""
        for store in self.stores:
            if isinstance(store, Memory):
                labels = {"store": store.name}
                yield Reading("store_bytes", store.nbytes, labels, "gauge")
                yield Reading("store_evictions", store.evictions, labels)
            elif isinstance(store, Redis):
                for event, count in store.counters.items():
                    yield Reading("store_events", count, {"store": store.name, "event": event})
        if self._computing is not None:
            yield Reading("cache_computing", self._computing.in_flight, {}, "gauge")

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """The answer, where every row of it is in memory and fresh."""
        identity = self._believed(request)
        epoch = self._epochs.known(request.model, request.scope)
        if identity is None or epoch is None:
            return None
        mode = self._modes.of(identity, request)
        if mode is Mode.PASS:
            return inner(request)
        keys = self._keys(request, identity, epoch, mode)
        return self._at_once(request, identity, keys, self._glance(request, keys))

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer from the stores, from what others compute, and by *inner*."""
        computing = self._computing
        if computing is None or self._identities is None:
            raise ConfigError("Cache must stand in a stack over a transport")
        if request.unchecked:
            return await inner(request)
        # Twice, where the model turns out to be another one than was believed.
        for _ in range(2):
            identity, believed = self._believed(request), True
            if identity is None:
                identity, believed = await self._identify(request)
            mode = self._modes.of(identity, request)
            if mode is Mode.PASS:
                if request.only_kept:
                    raise NotKept(f"answers of {request.model!r} are not kept", model=request.model)
                return await inner(request)
            patience = monotonic() + self._budget
            # After the identity, which ends the epoch when it is another one.
            epoch = self._epochs.known(request.model, request.scope)
            if epoch is None:
                epoch = await self._ask_epoch(request, patience)
            keys = self._keys(request, identity, epoch, mode)
            entries = self._glance(request, keys)
            answer = self._at_once(request, identity, keys, entries) if believed else None
            if answer is not None:
                return answer
            whole = mode is Mode.WHOLE
            lookup = Lookup(request, identity, epoch, keys, whole=whole, freshness=self._freshness)
            self._look(lookup, entries)
            with span("cache"):
                await self._look_further(lookup, patience)
            if not believed:
                lookup.distrust()
            elif lookup.stale:
                computing.refresh(lookup, inner)
            try:
                if request.only_kept and not lookup.fall_back():
                    raise NotKept(
                        f"no answer of {request.model!r} is kept for every row",
                        model=request.model,
                    )
                await computing.complete(lookup, inner)
            except AnotherModel:
                await self._identities.read(request.model, request.version, request.deadline)
                continue
            response = lookup.answer(self._clock())
            self._note(response.trace.origins, lookup)
            return response
        return await inner(request)

    async def invalidate(self, model: str | None = None, scope: str | None = None) -> None:
        """
        End what is kept of a model, of a scope, of a model in a scope, or all of it.

        Here that holds at once; other processes with the same shared stores
        notice within *recheck*.

        Raises:
            ServerUnavailable: If a shared store could not be told.
        """
        if model is not None and scope is not None:
            name = both_epoch(model, scope)
        elif model is not None:
            name = model_epoch(model)
        else:
            name = ALL if scope is None else scope_epoch(scope)
        await self._epochs.renew(name)

    async def aclose(self) -> None:
        """Write what waits to be written, and close the stores."""
        if self._computing is not None:
            await self._computing.aclose()
        for store in self.stores:
            await store.aclose()

    def _believed(self, request: InferRequest) -> Identity | None:
        """The identity, where it was asked for lately and no new question is due."""
        identities = self._identities
        if identities is None:
            return None
        identity = identities.known(request.model, request.version)
        if identity is None:
            return None
        age = self._clock() - identity.asked
        if age < self._recheck / 2:
            return identity
        asking = age < self._recheck and identities.reading(request.model, request.version)
        return identity if asking else None

    async def _identify(self, request: InferRequest) -> tuple[Identity, bool]:
        """
        The identity of the model that would answer, where that may need a question.

        The second says whether the identity may be believed: where the server
        cannot be asked, the last one known may serve what is kept for errors.
        """
        assert self._identities is not None
        model, version = request.model, request.version
        known = self._identities.known(model, version)
        if known is not None and self._clock() - known.asked < self._recheck:
            # Still good, but not for long: asked before anybody must wait for it.
            self._identities.ask(model, version)
            return known, True
        try:
            return await self._identities.read(model, version, request.deadline), True
        except RequestError:
            if known is None or not (self._freshness.for_errors or request.only_kept):
                raise
            return known, False

    async def _ask_epoch(self, request: InferRequest, patience: float) -> Epoch:
        """The epoch of the entries that may be used."""
        model, scope = request.model, request.scope
        epoch = await _within(patience, request, self._epochs.read(model, scope))
        return epoch or self._epochs.unread(model, scope)

    def _keys(
        self, request: InferRequest, identity: Identity, epoch: Epoch, mode: Mode
    ) -> list[bytes]:
        """One for each row, or one for the whole request."""
        make = whole_keys if mode is Mode.WHOLE else row_keys
        keys = make(request, identity=identity.token, epoch=epoch.token, digest=self._digest)
        return [key + epoch.private for key in keys] if epoch.private else keys

    def _glance(self, request: InferRequest, keys: list[bytes]) -> Sequence[Entry | None] | None:
        """What the first store of this process has, if that needs no waiting."""
        return self._private[0].now(request.model, keys) if self._private else None

    def _at_once(
        self,
        request: InferRequest,
        identity: Identity,
        keys: list[bytes],
        entries: Sequence[Entry | None] | None,
    ) -> InferResponse | None:
        """The answer, where the first store has all of it, fresh."""
        if entries is None or None in entries:
            return None
        kept = cast(Sequence[Entry], entries)
        now = self._clock()
        ages = tuple([now - entry.created for entry in kept])
        if max(ages) >= self._freshness.ttl:
            return None
        name = self._private[0].name
        response = InferResponse(
            model=identity.model,
            version=identity.version,
            outputs=join_rows([entry.outputs for entry in kept], request.outputs),
            parameters=kept[0].parameters,
            id=request.id,
            trace=Trace(origins=(name,) * len(keys), ages=ages),
        )
        self.counts[name] += len(keys)
        if self._record is not None:
            sizes = [entry_bytes(entry) or 0 for entry in kept]
            self._record.record(request.model, keys, sizes, [0.0] * len(keys))
        return response

    def _look(self, lookup: Lookup, entries: Sequence[Entry | None] | None) -> None:
        """Take what can be had without waiting; the first store was asked already."""
        now = self._clock()
        for number, store in enumerate(self._private):
            asked: Sequence[bytes] = lookup.keys
            if number:
                asked = lookup.missing
                entries = store.now(lookup.request.model, asked) if asked else ()
            if entries is None:
                lookup.unasked.append(store)
            else:
                lookup.offer(asked, entries, store.name, now)

    async def _look_further(self, lookup: Lookup, patience: float) -> None:
        """What the slower stores have; of the shared ones it is then kept here as well."""
        model = lookup.request.model
        for store in (*lookup.unasked, *(self._shared if lookup.usable_by_all else ())):
            missing = lookup.missing
            if not missing:
                return
            keys = [key[:16] for key in missing] if store.shared else missing
            lookup.waited = True
            entries = await _within(patience, lookup.request, store.get(model, keys))
            if entries is None:
                continue
            lookup.offer(missing, entries, store.name, self._clock())
            found = {
                key: entry for key, entry in zip(missing, entries, strict=True) if entry is not None
            }
            if found and store.shared:
                for private in self._private:
                    await private.put(model, found, self._freshness.lifetime)

    def _note(self, origins: Sequence[str], lookup: Lookup) -> None:
        counts = self.counts
        for origin in origins:
            counts[origin] += 1
        if self._record is not None:
            self._record.record(lookup.request.model, *lookup.costs())


async def _within(end: float, request: InferRequest, work: Awaitable[T]) -> T | None:
    """What *work* gives, or None if it takes longer than until *end*."""
    if request.deadline is not None:
        end = min(end, request.deadline)
    try:
        async with asyncio.timeout(end - monotonic()):
            return await work
    except TimeoutError:
        return None
