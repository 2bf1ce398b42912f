from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic

from tritonkit.client.stores.store import Entry, Store


class Memory(Store):
    name = "memory"

    def __init__(self, size: str | int = "64MB", *, clock=monotonic) -> None:
        self._d: dict = {}
        self._clock = clock

    def now(self, model: str, keys: Sequence[bytes]) -> list[Entry | None] | None:
        out = []
        for k in keys:
            e = self._d.get(k)
            out.append(None if e is None or self._clock() >= e[1] else e[0])
        return out

    async def get(self, model: str, keys: Sequence[bytes]) -> list[Entry | None]:
        return self.now(model, keys)

    async def put(self, model: str, entries: Mapping[bytes, Entry], lifetime: float | None) -> None:
        for k, e in entries.items():
            self._d[k] = (e, float("inf") if lifetime is None else e.created + lifetime)
