"""The tests that every store must pass, ours or a third party's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonkit.client.stores.store import Entry, Store
from tritonkit.client.testing.entries import assert_same, sample_array
from tritonkit.client.types import Parameter
from tritonkit.client.wire.datatypes import DATATYPES

__all__ = ["StoreTests"]

_MODEL = "model"
_KEYS = (
    *(
        bytes(16),
        b"\xff" * 16,
        b"\r\n$-1\r\n*0\r\n \t%s;",
        b"{tag}:a*?[b]\\\"'\x00",
        bytes(range(16)),
    ),
    # Which differ in one byte alone, or in the order.
    *(bytes(range(15)) + b"\x10", b"\x10" + bytes(range(1, 16)), bytes(range(15, -1, -1))),
)


@pytest.mark.asyncio
class StoreTests:
    """
    Holds a store to the contract of `Store`. Needs pytest and pytest-asyncio.

    Derive a class whose name begins with Test, and give it a fixture that makes
    an empty store with room for a megabyte:

        class TestShelf(StoreTests):
            @pytest_asyncio.fixture
            async def store(self):
                store = Shelf()
                yield store
                await store.aclose()

    A store that writes in the background overrides `settle`. One that is made
    with a clock overrides `time` and `later`, and its tests wait for nothing.
    """

    def time(self) -> float:
        """The store's clock; that of `Entry.created`."""
        return time.monotonic()

    async def later(self, seconds: float) -> None:
        """Let the store's clock go on by *seconds*, or by some more."""
        await asyncio.sleep(seconds)

    async def settle(self, store: Store) -> None:
        """Wait until everything that was put can be got; at once by default."""

    async def test_describes_itself(self, store: Store) -> None:
        """It has a name for traces, and waits for no time or for a positive one."""
        assert store.name
        assert isinstance(store.shared, bool)
        assert store.budget is None or store.budget > 0

    @pytest.mark.parametrize("datatype", DATATYPES)
    async def test_gives_back_every_datatype(self, store: Store, datatype: str) -> None:
        """Each type, also without elements and of many dimensions, bit for bit."""
        shapes = ((1,), (1, 5), (1, 0), (1, 3, 0, 2), (1, 2, 1, 3), ())
        outputs = {f"of {shape}": sample_array(datatype, shape) for shape in shapes}
        await self._check(store, {_KEYS[0]: self._entry(outputs)})

    async def test_gives_back_every_bit_of_a_float(self, store: Store) -> None:
        """The payloads of NaN, both zeros, infinities and subnormals stay."""
        bits = np.array([[0x7FC00001, 0xFFC12345, 0x7F800001, 0, 1 << 31, 0x7F800000, 1]], "<u4")
        await self._check(store, {_KEYS[0]: self._entry({"y": bits.view("<f4")})})

    async def test_gives_back_arrays_of_any_layout(self, store: Store) -> None:
        """Columns first, strided, repeated and big-endian arrays have the same elements."""
        plain = np.arange(24, dtype=np.int32).reshape(1, 4, 6)
        views = {
            "columns": np.asfortranarray(plain),
            "strided": plain[:, ::2, ::-1],
            "repeated": np.broadcast_to(plain[:, :1], plain.shape),
        }
        await self._check(store, {_KEYS[0]: self._entry(views)})
        await store.put(_MODEL, {_KEYS[1]: self._entry({"y": plain.astype(">i4")})}, None)
        await self.settle(store)
        np.testing.assert_array_equal((await _got(store, _KEYS[1])).outputs["y"], plain)

    async def test_gives_back_parameters(self, store: Store) -> None:
        """Each value with its type: True is not 1, and 1 is not 1.0."""
        parameters: dict[str, Parameter] = {
            "t": "ü\x00",
            "i": -(2**40),
            "one": 1,
            "f": 1.0,
            "yes": True,
            "no": False,
        }
        entry = self._entry({"y": sample_array("FP32", (1, 2))}, parameters)
        await self._check(store, {_KEYS[0]: entry, _KEYS[1]: self._entry({})})

    async def test_knows_when_an_entry_was_made(self, store: Store) -> None:
        """Its age is the model's, not the store's."""
        entry = self._entry({"y": sample_array("FP32", (1, 2))}, age=100.0)
        await self._check(store, {_KEYS[0]: entry})
        assert abs((await _got(store, _KEYS[0])).created - entry.created) < 0.1

    async def test_answers_in_order(self, store: Store) -> None:
        """A thousand keys in one call, every other one there."""
        keys = [number.to_bytes(16, "big") for number in range(1000)]
        entries = {key: self._entry({"y": np.array([[n]])}) for n, key in enumerate(keys) if n % 2}
        await store.put(_MODEL, entries, None)
        await self.settle(store)
        for asked in (keys, keys[::-1]):
            found = await store.get(_MODEL, asked)
            assert [key in entries for key in asked] == [entry is not None for entry in found]
            for key, entry in zip(asked, found, strict=True):
                if entry is not None:
                    assert entry.outputs["y"] == int.from_bytes(key, "big")

    async def test_asks_and_keeps_nothing(self, store: Store) -> None:
        """No keys and no entries are fine."""
        await store.put(_MODEL, {}, None)
        assert await store.get(_MODEL, []) == []
        assert await store.get(_MODEL, _KEYS) == [None] * len(_KEYS)

    async def test_tells_keys_apart(self, store: Store) -> None:
        """Whatever their 16 bytes are; to another model they are the same, or nothing."""
        for number, key in enumerate(_KEYS):
            held = {k: self._entry({"y": np.array([[n]])}) for n, k in enumerate(_KEYS[:number])}
            await store.put(_MODEL, held, None)
            await self.settle(store)
            assert await store.get(_MODEL, [key]) == [None]
        found = await store.get("another", _KEYS[:-1])
        for number, entry in enumerate(found):
            assert entry is None or entry.outputs["y"].item() == number

    async def test_keeps_the_last(self, store: Store) -> None:
        """What is put again replaces what was there, larger or smaller."""
        for size in (3, 300, 2):
            await self._check(store, {_KEYS[0]: self._entry({f"y{size}": np.ones((1, size))})})

    async def test_forgets_in_time(self, store: Store) -> None:
        """An entry is there before its lifetime is over, and not after it."""
        entry = self._entry({"y": sample_array("FP32", (1, 2))})
        await store.put(_MODEL, {_KEYS[0]: entry}, 0.5)
        await store.put(_MODEL, {_KEYS[1]: entry}, 600.0)
        await store.put(_MODEL, {_KEYS[2]: entry}, None)
        await self.settle(store)
        if self.time() < entry.created + 0.25:
            assert None not in await store.get(_MODEL, _KEYS[:3])
        await self.later(0.6)
        found = await store.get(_MODEL, _KEYS[:3])
        assert [entry is not None for entry in found] == [False, True, True]
        await self._check(store, {_KEYS[0]: self._entry({"y": sample_array("INT8", (1, 2))})})

    async def test_counts_the_lifetime_from_creation(self, store: Store) -> None:
        """What was too old when it was put is not there."""
        old = self._entry({"y": sample_array("FP32", (1, 2))}, age=100.0)
        await store.put(_MODEL, {_KEYS[0]: old}, 50.0)
        await store.put(_MODEL, {_KEYS[1]: old}, 0.0)
        await store.put(_MODEL, {_KEYS[2]: old}, 600.0)
        await self.settle(store)
        found = await store.get(_MODEL, _KEYS[:3])
        assert [entry is not None for entry in found] == [False, False, True]

    async def test_gives_what_nobody_can_change(self, store: Store) -> None:
        """The arrays are read-only, those of texts too."""
        outputs = {name: sample_array(name, (1, 3)) for name in ("FP32", "BYTES")}
        await self._check(store, {_KEYS[0]: self._entry(outputs)})
        for array in (await _got(store, _KEYS[0])).outputs.values():
            with pytest.raises(ValueError, match="read-only"):
                array[...] = array[0, 0]

    async def test_keeps_what_was_put(self, store: Store) -> None:
        """To write to an array, a larger one or the mappings afterwards changes nothing."""
        whole = np.arange(6.0).reshape(2, 3)
        text = sample_array("BYTES", (1, 3)).copy()
        outputs = {"whole": whole[:1].copy(), "part": whole[1:], "text": text}
        same = {name: array.copy() for name, array in outputs.items()}
        parameters: dict[str, Parameter] = {"p": 1}
        entry = self._entry(outputs, parameters)
        await store.put(_MODEL, {_KEYS[0]: entry}, None)
        outputs["whole"][...] = whole[...] = -1.0
        text[...] = b"other"
        del outputs["part"]
        parameters["p"] = 2
        await self.settle(store)
        assert_same(self._entry(same, {"p": 1}), await _got(store, _KEYS[0]))

    async def test_answers_at_once_as_it_would_later(self, store: Store) -> None:
        """`now`, in any thread and of keys that repeat, gives what `get` gives, or nothing."""
        entry = self._entry({"y": sample_array("FP32", (1, 2))})
        await self._check(store, {_KEYS[0]: entry})
        found = await asyncio.to_thread(store.now, _MODEL, [*_KEYS[:2], *_KEYS[:2]])
        if found is not None:
            assert [one is not None for one in found] == [True, False, True, False]
            for one in found[::2]:
                assert one is not None
                assert_same(entry, one)

    async def test_serves_many_tasks(self, store: Store) -> None:
        """Tasks that read and write the same keys meet whole entries only, and the right ones."""
        await asyncio.gather(*(self._work(store, seed) for seed in range(20)))

    async def test_serves_two_event_loops(self, store: Store) -> None:
        """Two threads, each with a loop of its own, beside the loop of the fixture."""
        loops = [asyncio.to_thread(asyncio.run, self._work(store, seed)) for seed in (1, 2)]
        await asyncio.gather(*loops, self._work(store, 3))

    async def test_renews_epochs(self, store: Store) -> None:
        """A token stays until its name is renewed; only a shared store needs to have one."""
        names = ["model a", "model b", ""]
        tokens = await store.epochs(names)
        assert len(tokens) == len(names)
        assert all(isinstance(token, bytes) for token in tokens)
        assert tokens == await store.epochs(names)
        assert tokens[::-1] == await store.epochs(names[::-1])
        await store.renew(names[:1])
        first, *others = await store.epochs(names)
        assert others == tokens[1:]
        assert first != tokens[0] or not store.shared
        assert [first, *others] == await store.epochs(names)
        await store.renew([])
        assert await store.epochs([]) == []

    async def test_leases(self, store: Store) -> None:
        """The first who asks may compute; so may the next after it was given back, or ended."""
        keys = list(_KEYS[:2])
        assert await store.lease(keys, 30.0) == [True, True]
        await store.release(keys)
        assert await store.lease(keys, 0.3) == [True, True]
        await self.later(0.4)
        assert await store.lease(keys, 30.0) == [True, True]
        await store.release([*keys, _KEYS[2]])
        assert await store.lease([], 30.0) == []

    async def test_closes_twice(self, store: Store) -> None:
        """Closing what is closed does nothing."""
        await store.put(_MODEL, {_KEYS[0]: self._entry({"y": sample_array("FP32", (1, 2))})}, None)
        await store.aclose()
        await store.aclose()

    def _entry(
        self,
        outputs: Mapping[str, NDArray[Any]],
        parameters: Mapping[str, Parameter] | None = None,
        age: float = 0.0,
    ) -> Entry:
        return Entry(outputs, self.time() - age, {} if parameters is None else parameters)

    async def _check(self, store: Store, entries: Mapping[bytes, Entry]) -> None:
        """Put *entries* and get them."""
        await store.put(_MODEL, entries, 600.0)
        await self.settle(store)
        for key, entry in entries.items():
            assert_same(entry, await _got(store, key))

    async def _work(self, store: Store, seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(25):
            numbers = random.choice(40, size=8, replace=False).tolist()
            keys = [number.to_bytes(16, "little") for number in numbers]
            entries = {
                key: self._entry({"y": np.full((1, number), number)})
                for key, number in zip(keys[:4], numbers, strict=False)
            }
            await store.put(_MODEL, entries, 600.0)
            for number, entry in zip(numbers, await store.get(_MODEL, keys), strict=True):
                if entry is not None:
                    assert entry.outputs["y"].tolist() == [[number] * number]
            await asyncio.sleep(0)


async def _got(store: Store, key: bytes) -> Entry:
    (entry,) = await store.get(_MODEL, [key])
    assert entry is not None
    return entry
