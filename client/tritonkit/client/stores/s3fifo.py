"""
Which entries a budget keeps: S3-FIFO, by bytes.

A new entry waits in a small queue. One that is used again there moves to the
main queue; one that is not leaves, and its place remembers it for a while, so
that it enters the main queue at once if it comes back. What is asked for once,
however much of it, thus passes through the small queue alone. A use is one
write to the entry, and moves nothing.

Source: Yang et al., FIFO queues are all you need for cache eviction (SOSP 2023).
docs/decisions/012-which-rows-memory-keeps.md has what was measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

__all__ = ["S3FIFO"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SMALL = 0.1  # of the budget, in bytes
_MOST_USES = 3
# Where a place is. Numbers: a place that knew its queue would be a cycle with it.
_IN_SMALL, _IN_MAIN, _GONE = range(3)


class _Node(Generic[K, V]):
    """A key's place: with its value, or empty and only remembered."""

    __slots__ = ("key", "queue", "size", "uses", "value")

    def __init__(self, key: K, value: V) -> None:
        self.key = key
        self.queue = _IN_SMALL
        self.size = 0
        self.uses = 0
        self.value: V | None = value


class S3FIFO(Generic[K, V]):
    """
    Values by key, of a total size that is never more than the budget.

    `find` may be called in any thread at any time; the others want a lock around
    them. No clock and no measure of its own: the caller says how large a value is.

    Args:
        budget: Bytes of everything held, places included.
        place: Bytes of a place without a value. No value counts for less.
        ghosts: Keys that are remembered after they left, for each value held.
            More of them adapt sooner to other traffic, and cost room.
    """

    def __init__(self, budget: int, *, place: int = 0, ghosts: float = 0.5) -> None:
        self.budget = budget
        self.place = place
        self.ghosts = ghosts
        self.used = 0
        self.evictions = 0
        self._live = 0
        self._nodes: dict[K, _Node[K, V]] = {}
        self._small: deque[_Node[K, V]] = deque()
        self._main: deque[_Node[K, V]] = deque()
        self._gone: deque[_Node[K, V]] = deque()
        self._small_used = 0
        self._small_budget = int(budget * _SMALL)

    def __len__(self) -> int:
        return self._live

    def __contains__(self, key: K) -> bool:
        node = self._nodes.get(key)
        return node is not None and node.value is not None

    def find(self, keys: Iterable[K]) -> list[V | None]:
        """The values of *keys* in order, each used once more; None where there is none."""
        nodes = self._nodes
        found: list[V | None] = []
        for key in keys:
            node = nodes.get(key)
            if node is None:
                found.append(None)
                continue
            value = node.value
            found.append(value)
            if value is not None and node.uses < _MOST_USES:
                node.uses += 1
        return found

    def put(self, key: K, value: V, size: int) -> bool:
        """
        Hold *value*, in place of what the key had; others leave first.

        Returns:
            False where the value alone is more than the budget: nothing changes.
        """
        size = max(size, self.place)
        if size > self.budget:
            return False
        node = self._nodes.get(key)
        if node is not None and node.value is not None:
            if size <= node.size:
                self._resize(node, size)
                node.value = value
                return True
            self._empty(node)
        returns = node is not None and node.queue == _GONE
        while self.used + size > self.budget:
            self._evict()
        # Making room may have taken the key's own place.
        node = self._nodes.get(key)
        known = node is not None
        if node is None:
            node = self._nodes[key] = _Node(key, value)
        if returns:
            node.queue = _IN_MAIN
            self._main.append(node)
        elif not known:
            self._small.append(node)
        node.value = value
        self._resize(node, size)
        self._live += 1
        return True

    def drop(self, key: K, value: V) -> None:
        """
        Let go of *value*, if the key still has it.

        Its place stays in the queue, as if nothing had happened, until the
        queue comes to it or the key gets another value.
        """
        node = self._nodes.get(key)
        if node is not None and node.value is value:
            self._empty(node)

    def _resize(self, node: _Node[K, V], size: int) -> None:
        self.used += size - node.size
        if node.queue == _IN_SMALL:
            self._small_used += size - node.size
        node.size = size

    def _empty(self, node: _Node[K, V]) -> None:
        node.value = None
        self._live -= 1
        self._resize(node, self.place)

    def _forget(self, node: _Node[K, V]) -> None:
        """Give up a place that no queue has any more."""
        del self._nodes[node.key]
        self._resize(node, 0)

    def _evict(self) -> None:
        """Bring one queue forward by one place."""
        if self._small and (self._small_used >= self._small_budget or not self._main):
            self._advance_small()
        elif self._main:
            self._advance_main()
        else:
            self._advance_gone()

    def _advance_small(self) -> None:
        node = self._small.popleft()
        if node.value is None:
            self._forget(node)
            return
        self._small_used -= node.size
        if node.uses:
            node.uses = 0
            node.queue = _IN_MAIN
            self._main.append(node)
            return
        self.evictions += 1
        node.queue = _GONE
        self._gone.append(node)
        self._empty(node)
        while len(self._gone) > self._live * self.ghosts:
            self._advance_gone()

    def _advance_main(self) -> None:
        node = self._main.popleft()
        if node.value is None:
            self._forget(node)
        elif node.uses:
            node.uses -= 1
            self._main.append(node)
        else:
            self.evictions += 1
            self._empty(node)
            self._forget(node)

    def _advance_gone(self) -> None:
        node = self._gone.popleft()
        # A key that came back has a place in the main queue since.
        if node.queue == _GONE:
            self._forget(node)
