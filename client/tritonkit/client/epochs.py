"""Which entries are still valid: tokens that go into keys, so that a new one ends all before it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from tritonkit.client.stores.store import Store
from tritonkit.errors import RequestError, ServerUnavailable

__all__ = ["ALL", "Epoch", "Epochs", "both_epoch", "model_epoch", "scope_epoch"]

ALL = "all"
"""The epoch of every entry."""

_MOST_KNOWN = 10_000


def model_epoch(model: str) -> str:
    """The epoch of a model's entries."""
    return f"model:{model}"


def scope_epoch(scope: str) -> str:
    """The epoch of a scope's entries."""
    return f"scope:{scope}"


def both_epoch(model: str, scope: str) -> str:
    """The epoch of a model's entries in one scope."""
    return f"both:{len(model)}:{model}:{scope}"


@dataclass(frozen=True, slots=True)
class Epoch:
    """
    Which entries of one model and scope are valid.

    Args:
        token: Goes into every key; the same in each process that shares the stores.
        private: Is added to the keys of this process's own stores; empty until
            something ended here.
        shared: Whether the shared stores said so lately; else they are not to be used.
        until: When to ask again, in seconds of the clock.
    """

    token: bytes
    private: bytes
    shared: bool
    until: float


class Epochs:
    """
    The epochs of this process, and of the shared stores.

    An invalidation by another process is met after *recheck* at the latest.

    Args:
        stores: Those that have epochs of their own.
        recheck: Seconds that an epoch of theirs is believed.
        clock: Seconds that only grow.
    """

    def __init__(
        self, stores: Sequence[Store], recheck: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._stores = tuple(stores)
        self._recheck = recheck
        self._clock = clock
        self._ended: dict[str, bytes] = {}
        self._tokens: dict[str, bytes] = {}
        # Another one with each end. Threads put epochs together while others end
        # them: what was begun under another generation is not to be used.
        self._generation = object()
        self._known: dict[tuple[str, str], tuple[object, Epoch]] = {}
        # Names that a store has not heard of, and when to tell it again.
        self._owed: set[str] = set()
        self._tell_after = float("-inf")

    def known(self, model: str, scope: str) -> Epoch | None:
        """What was said lately; None where the stores must be asked."""
        generation, epoch = self._known.get((model, scope), (None, None))
        if epoch is None or generation is not self._generation:
            return None if self._stores else self._remember(model, scope, shared=True)
        return epoch if self._clock() < epoch.until else None

    async def read(self, model: str, scope: str) -> Epoch:
        """Ask the stores; where they do not answer, what they said last holds for this process."""
        names = _names(model, scope)
        while True:
            generation = self._generation
            try:
                if self._owed:
                    # What it has is not to be met before it has heard what ended.
                    await self._tell_again()
                answers = await asyncio.gather(*(store.epochs(names) for store in self._stores))
            except (RequestError, TimeoutError):
                return self._remember(model, scope, shared=False)
            if generation is self._generation:
                break
            # What was read may be what ended meanwhile.
        for index, name in enumerate(names):
            self._tokens[name] = b"".join(answer[index] for answer in answers)
        return self._remember(model, scope, shared=True)

    def unread(self, model: str, scope: str) -> Epoch:
        """The stores took too long: go on without them for now."""
        return self._remember(model, scope, shared=False)

    def end(self, *names: str) -> None:
        """Begin new epochs in this process, at once."""
        if len(self._ended) >= _MOST_KNOWN:
            # One end of everything stands for all that ended before.
            self._ended = {ALL: os.urandom(8)}
        for name in names:
            # Not a count: two caches may share a store, and each ends what is its own.
            self._ended[name] = os.urandom(8)
        self._generation = object()

    async def renew(self, *names: str) -> None:
        """
        Begin new epochs, here at once, and for every process that shares a store.

        Raises:
            ServerUnavailable: If a store could not be told; this process was, and
                leaves the store alone until it is.
        """
        self.end(*names)
        try:
            await self._tell(names)
        finally:
            self._generation = object()

    async def _tell(self, names: Sequence[str]) -> None:
        try:
            for store in self._stores:
                await store.renew(names)
        except BaseException:
            self._owed.update(names if len(self._owed) < _MOST_KNOWN else (ALL,))
            self._tell_after = self._clock() + self._recheck
            raise
        self._owed.difference_update(names)

    async def _tell_again(self) -> None:
        if self._clock() < self._tell_after:
            raise ServerUnavailable("a store has not heard yet of what ended")
        await self._tell(tuple(self._owed))

    def _remember(self, model: str, scope: str, *, shared: bool) -> Epoch:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
            self._tokens.clear()
        generation, ended = self._generation, self._ended
        names = _names(model, scope)
        epoch = Epoch(
            token=b"".join(map(_with_length, (self._tokens.get(name, b"") for name in names))),
            private=b"".join(ended.get(name, b"") for name in names),
            shared=shared and bool(self._stores),
            until=self._clock() + self._recheck if self._stores else float("inf"),
        )
        self._known[model, scope] = generation, epoch
        return epoch


def _with_length(token: bytes) -> bytes:
    return bytes((len(token),)) + token


def _names(model: str, scope: str) -> tuple[str, ...]:
    return ALL, model_epoch(model), scope_epoch(scope), both_epoch(model, scope)
