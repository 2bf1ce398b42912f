"""What somebody writes who wants a store of their own: the 40 lines that a README may show."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.testing.stores import StoreTests


class Shelf(Store):
    """Keeps everything in a dict."""

    name = "shelf"

    def __init__(self) -> None:
        self._entries: dict[bytes, tuple[Entry, float]] = {}

    async def get(self, model: str, keys: Sequence[bytes]) -> list[Entry | None]:
        return [self._look_up(key) for key in keys]

    def _look_up(self, key: bytes) -> Entry | None:
        entry, until = self._entries.get(key, (None, 0.0))
        return entry if time.monotonic() < until else None

    async def put(self, model: str, entries: Mapping[bytes, Entry], lifetime: float | None) -> None:
        for key, entry in entries.items():
            outputs = {name: np.array(array) for name, array in entry.outputs.items()}
            for array in outputs.values():
                array.flags.writeable = False
            kept = Entry(outputs, entry.created, dict(entry.parameters))
            self._entries[key] = kept, entry.created + (math.inf if lifetime is None else lifetime)


class TestShelf(StoreTests):
    @pytest.fixture
    async def store(self):
        store = Shelf()
        yield store
        await store.aclose()
