"""One request on its way through a cache: what was found of it, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tritonkit.client.epochs import Epoch
from tritonkit.client.identity.identity import Identity
from tritonkit.client.layers.cache.flights import Computed
from tritonkit.client.layers.cache.freshness import Freshness, State
from tritonkit.client.layers.rows import join_rows, own_request, take_rows
from tritonkit.client.stores.memory import entry_bytes
from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.trace import COALESCED, MODEL, STALE, Trace
from tritonkit.client.types import InferRequest, InferResponse

__all__ = ["Lookup"]


class Lookup:
    """
    The rows of a request by their keys, and an entry for each as it is found.

    Args:
        request: What was asked.
        identity: The model that would answer.
        epoch: Of the entries that are valid.
        keys: One for each row; one for the whole request where it is not kept by row.
        whole: Whether it is kept whole.
        freshness: How old an entry may be.
    """

    def __init__(
        self,
        request: InferRequest,
        identity: Identity,
        epoch: Epoch,
        keys: Sequence[bytes],
        *,
        whole: bool,
        freshness: Freshness,
    ) -> None:
        self.request = request
        self.identity = identity
        self.epoch = epoch
        self.keys = keys
        self.whole = whole
        self._freshness = freshness
        self._first_row: dict[bytes, int] | None = None
        self.found: dict[bytes, Entry] = {}
        self.spare: dict[bytes, Entry] = {}
        self.stale: list[bytes] = []
        self.unasked: list[Store] = []
        """Stores of this process that cannot answer without waiting."""
        self.waited = False
        """Whether others had a turn since memory was looked into."""
        self._origins: dict[bytes, str] = {}
        self._seconds: dict[bytes, float] = {}
        self._distrusted = False
        self._tiers: dict[bytes, str] = {}
        self._answered_by = identity.model, identity.version
        self._calls: dict[int, Computed] = {}
        self._degraded = ""

    @property
    def usable_by_all(self) -> bool:
        """Whether its entries mean the same to other processes."""
        return self.identity.stated and self.epoch.shared

    @property
    def missing(self) -> list[bytes]:
        """Keys without an entry, each once, in the order of the rows."""
        found = self.found
        return [key for key in self._unique() if key not in found]

    def offer(
        self, keys: Iterable[bytes], entries: Iterable[Entry | None], origin: str, now: float
    ) -> None:
        """Take what a store has of *keys*, as far as it is not too old."""
        for key, entry in zip(keys, entries, strict=True):
            if entry is None:
                continue
            state = self._freshness.state(now - entry.created)
            if self._distrusted and state is not State.GONE:
                state = State.SPARE
            if state is State.FRESH:
                self.found[key], self._origins[key] = entry, origin
            elif state is State.STALE:
                self.found[key], self._origins[key] = entry, STALE
                self.stale.append(key)
            elif state is State.SPARE:
                self.spare[key] = entry

    def take(self, key: bytes, computed: Computed, *, joined: bool) -> None:
        """Take what a model computed: for this request, or for another one."""
        self.found[key] = computed.entries[key]
        self._origins[key] = COALESCED if joined else MODEL
        self._answered_by = computed.model, computed.version
        self._degraded = self._degraded or computed.trace.degraded
        if key in computed.tiers:
            self._tiers[key] = computed.tiers[key]
        if not joined:
            self._seconds[key] = computed.seconds
            # What a call took is told once, by the request that began it.
            self._calls[id(computed)] = computed

    def distrust(self) -> None:
        """The server cannot be asked which model it has: what was found is for errors only."""
        self._distrusted = True
        self.spare.update(self.found)
        self.found.clear()
        self.stale.clear()

    def fall_back(self) -> bool:
        """Take what was kept for errors, if that leaves nothing missing."""
        missing = self.missing
        if any(key not in self.spare for key in missing):
            return False
        for key in missing:
            self.found[key], self._origins[key] = self.spare[key], STALE
        if missing:
            self._degraded = self._degraded or STALE
        return True

    def part(self, keys: Sequence[bytes]) -> InferRequest:
        """The request for the rows of some *keys* only, in memory of its own."""
        if self.whole:
            return own_request(self.request)
        rows = self._unique()
        return take_rows(self.request, [rows[key] for key in keys], len(self.keys))

    def answer(self, now: float) -> InferResponse:
        """The answer, of which nothing is missing."""
        entries = self._entries()
        request = self.request
        model, version = self._answered_by
        return InferResponse(
            model=model,
            version=version,
            outputs=join_rows([entry.outputs for entry in entries], request.outputs),
            parameters=entries[0].parameters,
            id=request.id,
            trace=self._trace(entries, now),
        )

    def costs(self) -> tuple[list[bytes], list[int], list[float]]:
        """Of each row: its key, its bytes in memory, and the seconds it took to compute."""
        sizes = [entry_bytes(entry) or 0 for entry in self._entries()]
        return [*self.keys], sizes, [self._seconds.get(key, 0.0) for key in self.keys]

    def origins(self) -> list[str]:
        """Where each row came from."""
        if self._first_row is None or len(self._first_row) == len(self.keys):
            return [self._origins[key] for key in self.keys]
        seen: set[bytes] = set()
        origins = []
        for key in self.keys:
            origin = self._origins[key]
            # The same row twice in one request is computed once.
            origins.append(COALESCED if origin == MODEL and key in seen else origin)
            seen.add(key)
        return origins

    def _trace(self, entries: Sequence[Entry], now: float) -> Trace:
        return Trace(
            origins=tuple(self.origins()),
            ages=tuple([now - entry.created for entry in entries]),
            tiers=tuple([self._tiers.get(key, "") for key in self.keys]) if self._tiers else (),
            degraded=self._degraded,
            attempts=sum([call.trace.attempts for call in self._calls.values()]),
            cost=sum([call.trace.cost for call in self._calls.values()]),
        )

    def _entries(self) -> Sequence[Entry]:
        """One for each row."""
        return [self.found[key] for key in self.keys]

    def _unique(self) -> dict[bytes, int]:
        """The first row of each key, in order."""
        if self._first_row is None:
            rows: dict[bytes, int] = {}
            for row, key in enumerate(self.keys):
                rows.setdefault(key, row)
            self._first_row = rows
        return self._first_row
