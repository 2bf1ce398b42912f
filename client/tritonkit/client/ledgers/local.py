"""A ledger in this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import islice
from time import monotonic

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.ledgers.ledger import (
    Claim,
    Denied,
    Grant,
    Ledger,
    Usage,
    check_actuals,
    check_claims,
)
from tritonkit.client.ledgers.window import Window
from tritonkit.errors import ConfigError

__all__ = ["LocalLedger"]

REMEMBERED = 60.0
"""Seconds for which an id that is over is known to be."""

_SLACK = 1000


@dataclass(slots=True, eq=False)
class _Open:
    claims: tuple[Claim, ...]
    expiry: int


class LocalLedger(Ledger):
    """
    Keeps what the clients of this process spend.

    Nothing waits for anything. Another process has limits of its own, and so has a
    child of a fork, which begins with what its parent had spent.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = fork_safe_lock()
        # The first was asked for longest ago.
        self._windows: OrderedDict[str, Window] = OrderedDict()
        self._open: dict[str, _Open] = {}
        self._expiries: list[tuple[int, str]] = []
        self._over: OrderedDict[str, int] = OrderedDict()

    def __repr__(self) -> str:
        return "LocalLedger()"

    async def reserve(self, id: str, claims: Sequence[Claim], ttl: float) -> Grant | Denied:
        """Reserve every claim, or nothing."""
        check_claims(claims, ttl)
        with self._lock:
            now = self._now()
            if self._over.get(id, now) > now:
                raise ConfigError(f"a reservation's id is used once, but got {id=} again.")
            self._forget(now)
            windows = [self._window(claim) for claim in claims]
            used = [window.settled(now) + window.reserved for window in windows]
            if id in self._open:
                return Grant(tuple(used))
            denied: Denied | None = None
            for index, (claim, window, before) in enumerate(
                zip(claims, windows, used, strict=True)
            ):
                if claim.limit and before + claim.amount <= claim.limit:
                    continue
                wait = window.retry_after_us(claim.limit, claim.amount, now) / 1e6
                if denied is None or wait > denied.retry_after:
                    denied = Denied(index, wait, max(0, claim.limit - before))
            if denied is not None:
                return denied
            for claim, window in zip(claims, windows, strict=True):
                window.reserved += claim.amount
            expiry = now + int(ttl * 1e6)
            self._open[id] = _Open(tuple(claims), expiry)
            if len(self._expiries) > 2 * len(self._open) + _SLACK:
                # Most of them are settled by now.
                self._expiries = [(opened.expiry, id) for id, opened in self._open.items()]
                heapify(self._expiries)
            else:
                heappush(self._expiries, (expiry, id))
            return Grant(
                tuple(before + claim.amount for before, claim in zip(used, claims, strict=True))
            )

    async def settle(self, id: str, actual: Sequence[int]) -> bool:
        """Charge what was spent and free the rest."""
        check_actuals(actual)
        with self._lock:
            return self._end(id, actual, self._now())

    async def release(self, id: str) -> bool:
        """Free all of it."""
        with self._lock:
            return self._end(id, None, self._now())

    async def usage(self, claims: Sequence[Claim]) -> list[Usage]:
        """What is spent and reserved in each scope."""
        with self._lock:
            now = self._now()
            self._forget(now)
            found = [self._windows.get(claim.scope) for claim in claims]
            return [
                Usage(window.settled(now), window.reserved, window.violations)
                if window is not None
                else Usage()
                for window in found
            ]

    def _now(self) -> int:
        """The time, once everything that has expired by then is charged."""
        # int() would make one microsecond less of some of the floats that stand for whole ones.
        now = round(self._clock() * 1e6)
        while self._expiries and self._expiries[0][0] <= now:
            expiry, id = heappop(self._expiries)
            opened = self._open.get(id)
            if opened is not None and opened.expiry == expiry:
                self._end(id, [claim.amount for claim in opened.claims], expiry)
        while self._over and next(iter(self._over.values())) <= now:
            self._over.popitem(last=False)
        return now

    def _forget(self, now: int) -> None:
        """Let go of two windows that are as good as new; a claim makes one at most."""
        for scope in tuple(islice(self._windows, 2)):
            if self._windows[scope].idle(now):
                del self._windows[scope]
            else:
                self._windows.move_to_end(scope)

    def _window(self, claim: Claim) -> Window:
        window = self._windows.get(claim.scope)
        if window is None:
            window = self._windows[claim.scope] = Window(claim.window_us)
        return window

    def _end(self, id: str, actual: Sequence[int] | None, at: int) -> bool:
        opened = self._open.get(id)
        if opened is not None and actual is not None and len(actual) != len(opened.claims):
            raise ConfigError(
                f"actual must have {len(opened.claims)} amounts, one for each claim, "
                f"but got {actual}."
            )
        self._over[id] = at + int(REMEMBERED * 1e6)
        self._over.move_to_end(id)
        if opened is None:
            return False
        del self._open[id]
        spent = [0] * len(opened.claims) if actual is None else actual
        for claim, amount in zip(opened.claims, spent, strict=True):
            # One that nothing was reserved in may have been forgotten.
            window = self._window(claim)
            window.reserved -= claim.amount
            window.charge(amount, at)
            window.violations += amount > claim.amount
        return True
