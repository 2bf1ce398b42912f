"""What was spent and what is about to be, by scope and sliding window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tritonkit.errors import ConfigError

__all__ = [
    "BUCKETS",
    "MAX_AMOUNT",
    "Claim",
    "Denied",
    "Grant",
    "Ledger",
    "Lost",
    "Outcome",
    "Usage",
    "bucket_us",
    "check_actuals",
    "check_claims",
]

MAX_AMOUNT = 10**15
"""The largest limit or amount: sums of a few stay exact in the doubles of Redis's Lua."""

MAX_WINDOW_US = 366 * 86_400 * 10**6
"""A year of microseconds."""

BUCKETS = 60
"""
Parts of a window. What was spent counts until its whole part has left the window:
for a sixtieth of it longer than it must.
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """
    What a reservation asks of one scope.

    Args:
        scope: Whose money it is, such as "user:u17"; what is spent adds up by it.
        limit: The most that may be spent in any window; 0 denies everything.
        window_us: Length of the window in microseconds. A scope has one, always.
        amount: The most that will be spent.
    """

    scope: str
    limit: int
    window_us: int
    amount: int


@dataclass(frozen=True, slots=True)
class Grant:
    """
    The whole amount is reserved in every scope.

    Args:
        used: What is spent or reserved by now in each scope, this included.
    """

    used: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """
    Nothing is reserved in any scope.

    Args:
        claim: Position of the claim that has to wait longest.
        retry_after: Seconds until as much may be free, if nobody else spends;
            infinite where the limit itself is too small.
        left: What that scope has left.
    """

    claim: int
    retry_after: float
    left: int


@dataclass(frozen=True, slots=True)
class Lost:
    """
    Nobody knows what was spent.

    Args:
        reason: Why, for people.
        retry_after: Seconds until the ledger may know again.
    """

    reason: str
    retry_after: float


Outcome: TypeAlias = Grant | Denied | Lost
"""What comes of asking for a reservation."""


@dataclass(frozen=True, slots=True)
class Usage:
    """
    Args:
        settled: Spent within the window.
        reserved: By reservations that are open.
        violations: Settlements of more than what was reserved, within about a window.
    """

    settled: int = 0
    reserved: int = 0
    violations: int = 0


class Ledger(ABC):
    """
    Reserve before, settle after.

    For every scope, and every window of its length wherever it begins, what is
    settled and reserved never exceeds the limit; what a settlement spends beyond
    its reservation is charged and counted as a violation. A reservation that is
    neither settled nor released is charged in full when it expires: whoever made
    it may have died after spending.

    An id is used once. To reserve it again while it is open changes nothing; to
    settle or release it again, or after it has expired, changes nothing either,
    and to do that before it is reserved keeps it from being reserved. Ledgers are used
    from several threads, each with an event loop of its own.
    """

    shared: bool = False
    """Whether other processes use it as well."""

    @abstractmethod
    async def reserve(self, id: str, claims: Sequence[Claim], ttl: float) -> Outcome:
        """
        Reserve every claim, or nothing.

        Args:
            id: Of the reservation; nobody used it before.
            claims: Each of another scope.
            ttl: Seconds until it counts as spent if nobody says otherwise.

        Raises:
            ConfigError: If a claim is out of range, or the id is over already.
        """

    @abstractmethod
    async def settle(self, id: str, actual: Sequence[int]) -> bool:
        """
        Charge what was spent and free the rest.

        Args:
            id: Of a reservation.
            actual: For each of its claims, in order.

        Returns:
            Whether it was open. False also where the ledger cannot be reached: then
            the reservation is charged in full when it expires.

        Raises:
            ConfigError: If an amount is out of range.
        """

    @abstractmethod
    async def release(self, id: str) -> bool:
        """Free all of it, for nothing was spent. Returns as `settle`."""

    @abstractmethod
    async def usage(self, claims: Sequence[Claim]) -> list[Usage]:
        """
        What is spent and reserved in each scope.

        Raises:
            ServerUnavailable: If nobody knows.
        """

    async def aclose(self) -> None:  # noqa: B027, a ledger in memory has nothing to close
        """Close the connections."""


def bucket_us(window_us: int) -> int:
    """Length of a window's parts."""
    return -(-window_us // BUCKETS)


def check_claims(claims: Sequence[Claim], ttl: float) -> None:
    """
    Raise ConfigError for what no ledger can keep.

    NaN and infinity fail each comparison, or the type.
    """
    if not 0 < ttl * 1e6 <= MAX_WINDOW_US:
        raise ConfigError(f"ttl must be above 0 and at most a year, but got {ttl=}.")
    for claim in claims:
        _check_amount("limit", claim.limit)
        _check_amount("amount", claim.amount)
        window = claim.window_us
        if type(window) is not int or not BUCKETS <= window <= MAX_WINDOW_US:
            raise ConfigError(
                f"window_us must be a whole number from {BUCKETS} to {MAX_WINDOW_US}, "
                f"but got {window!r}."
            )
    if len(claims) > 1 and len({claim.scope for claim in claims}) < len(claims):
        raise ConfigError(f"claims must be of different scopes, but got {list(claims)}.")


def check_actuals(actual: Sequence[int]) -> None:
    """Raise ConfigError for what no ledger can keep."""
    for value in actual:
        _check_amount("actual", value)


def _check_amount(name: str, value: int) -> None:
    if type(value) is not int or not 0 <= value <= MAX_AMOUNT:
        raise ConfigError(
            f"{name} must be a whole number from 0 to {MAX_AMOUNT}, but got {value!r}."
        )
