"""The eviction policies that `eviction.py` compares: one method, key and size in, hit out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from tritonkit.client.stores.memory import PLACE
from tritonkit.client.stores.s3fifo import S3FIFO

__all__ = ["LIBRARIES", "OURS", "Policy"]


class Policy(Protocol):
    """A cache without values."""

    def ask(self, key: int, size: int) -> bool:
        """Whether *key* is there; it is put there otherwise."""


class FIFO:
    """The oldest leaves."""

    def __init__(self, budget: int) -> None:
        self.budget, self.used = budget, 0
        self.sizes: OrderedDict[int, int] = OrderedDict()

    def ask(self, key: int, size: int) -> bool:
        if key in self.sizes:
            self.use(key)
            return True
        if size <= self.budget:
            self.used += size
            while self.used > self.budget:
                self.used -= self.sizes.popitem(last=False)[1]
            self.sizes[key] = size
        return False

    def use(self, key: int) -> None:
        pass


class LRU(FIFO):
    """The one that was not used for longest leaves."""

    def use(self, key: int) -> None:
        self.sizes.move_to_end(key)


class Sieve:
    """
    A hand goes from old to new, and takes the first that was not used since it came by.

    Source: Zhang et al., SIEVE is simpler than LRU (NSDI 2024). With *ghosts*, as
    many keys for each entry are remembered, and count as used when they return.
    """

    def __init__(self, budget: int, *, ghosts: float = 0.0) -> None:
        self.budget, self.used = budget, 0
        self.share = ghosts
        self.ghosts: OrderedDict[int, None] = OrderedDict()
        # A node is [key, size, used, older, newer].
        self.nodes: dict[int, list[Any]] = {}
        self.oldest: list[Any] | None = None
        self.newest: list[Any] | None = None
        self.hand: list[Any] | None = None

    def ask(self, key: int, size: int) -> bool:
        node = self.nodes.get(key)
        if node is not None:
            node[2] = True
            return True
        if size > self.budget:
            return False
        while self.used + size > self.budget:
            self.evict()
        back = key in self.ghosts
        if back:
            del self.ghosts[key]
            self.used -= PLACE
        node = self.nodes[key] = [key, size, back, self.newest, None]
        if self.newest is None:
            self.oldest = node
        else:
            self.newest[4] = node
        self.newest = node
        self.used += size
        return False

    def evict(self) -> None:
        node: Any = self.hand or self.oldest
        while node[2]:
            node[2] = False
            node = node[4] or self.oldest
        key, size, _, older, newer = node
        self.hand = newer
        if older is None:
            self.oldest = newer
        else:
            older[4] = newer
        if newer is None:
            self.newest = older
        else:
            newer[3] = older
        del self.nodes[key]
        self.used -= size
        if self.share:
            self.ghosts[key] = None
            self.used += PLACE
        while len(self.ghosts) > self.share * len(self.nodes):
            self.ghosts.popitem(last=False)
            self.used -= PLACE


class Ours:
    """What `Memory` uses."""

    def __init__(self, budget: int, *, ghosts: float) -> None:
        self.policy: S3FIFO[int, bool] = S3FIFO(budget, place=PLACE, ghosts=ghosts)

    def ask(self, key: int, size: int) -> bool:
        if self.policy.find((key,))[0]:
            return True
        self.policy.put(key, True, size)
        return False


class Library:
    """A cache of a library, which counts entries: for traces of one size."""

    def __init__(self, cache: Any, put: str) -> None:
        self.get: Callable[[int], Any] = cache.get
        self.put: Callable[[int, bool], Any] = getattr(cache, put)

    def ask(self, key: int, size: int) -> bool:
        # theine has get(key) -> (value, there); the others give None.
        value = self.get(key)
        if value is True or (type(value) is tuple and value[1]):
            return True
        self.put(key, True)
        return False


OURS: Mapping[str, Callable[[int], Policy]] = {
    "FIFO": FIFO,
    "LRU": LRU,
    "SIEVE": Sieve,
    "SIEVE, 1/2 ghost": partial(Sieve, ghosts=0.5),
    "S3-FIFO, no ghosts": partial(Ours, ghosts=0.0),
    "S3-FIFO, 1/4 ghost": partial(Ours, ghosts=0.25),
    "S3-FIFO, 1/2 ghost": partial(Ours, ghosts=0.5),
    "S3-FIFO, 1 ghost": partial(Ours, ghosts=1.0),
}
"""By name; each takes the budget in bytes, and pays for its ghosts out of it."""


def _library(module: str, cache: str, put: str, entries: int) -> Policy:
    return Library(getattr(import_module(module), cache)(entries), put)


LIBRARIES: Mapping[str, Callable[[int], Policy]] = {
    name: partial(_library, module, cache, put)
    for name, module, cache, put in (
        ("theine (W-TinyLFU)", "theine", "Cache", "set"),
        ("moka-py (TinyLFU)", "moka_py", "Moka", "set"),
        ("cachebox (LRU)", "cachebox", "LRUCache", "insert"),
        ("cachetools (LRU)", "cachetools", "LRUCache", "__setitem__"),
    )
    if find_spec(module) is not None
}
"""By name, those that are installed; each takes the number of entries."""
