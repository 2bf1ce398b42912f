"""What a cache keeps, and where it keeps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tritonkit.client.types import Parameter, Tensors

__all__ = ["Entry", "Store"]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """
    The answer to one row, or to one request where it is kept whole.

    Args:
        outputs: Arrays by output name, each read-only and the owner of its
            memory; the first axis of a row's arrays has length 1.
        created: When the model computed it, in seconds of `time.monotonic` of
            this process; negative where that is longer ago than the clock runs.
        parameters: Response parameters.
    """

    outputs: Tensors
    created: float
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


class Store(ABC):
    """
    The memory of a cache: entries by key, many at a time.

    A key is 16 bytes that no other row has, of whatever model; a store of this
    process may see longer ones. A store never
    raises because of what it holds or cannot reach: what it cannot give is a
    miss. It never gives an entry that is older than the lifetime it was put
    with, nor one that was put under another key. Stores are used from several
    threads, each with an event loop of its own.
    """

    name: str = "store"
    """What a trace calls it."""

    shared: bool = False
    """Whether its entries outlive this process or are seen by others."""

    budget: float | None = None
    """Seconds that one request may wait for it; None where it does not wait."""

    def now(self, model: str, keys: Sequence[bytes]) -> list[Entry | None] | None:
        """
        What it has, in order, where that needs no waiting; None where it does.

        Called from any thread, in an event loop or not. *keys* may repeat.
        """
        return None

    @abstractmethod
    async def get(self, model: str, keys: Sequence[bytes]) -> list[Entry | None]:
        """
        What it has, in the order of *keys*; None for a miss.

        Args:
            model: Name of the model, for statistics and listings; the key alone decides.
            keys: Without repeats.
        """

    @abstractmethod
    async def put(self, model: str, entries: Mapping[bytes, Entry], lifetime: float | None) -> None:
        """
        Keep *entries*, or some of them.

        Args:
            model: Name of the model that computed them.
            entries: By key.
            lifetime: Seconds after an entry's creation at which it is gone; None
                for no end.
        """

    async def epochs(self, names: Sequence[str]) -> list[bytes]:
        """
        A token for each name, the same until `renew`; keys are made with them.

        Only a shared store needs its own: there a token lives where the entries
        do, so that it is never there without them.

        Raises:
            ServerUnavailable: If they cannot be read.
        """
        return [b""] * len(names)

    async def renew(self, names: Sequence[str]) -> None:  # noqa: B027, for shared stores
        """
        Give each name a new token, for every process; older entries are never met again.

        Raises:
            ServerUnavailable: If that cannot be written.
        """

    async def lease(self, keys: Sequence[bytes], seconds: float) -> list[bool]:
        """
        Ask to be the one process that computes each of *keys*; ends by itself.

        Where the store cannot tell, everybody may.
        """
        return [True] * len(keys)

    async def release(self, keys: Sequence[bytes]) -> None:  # noqa: B027, as lease
        """Give leases of this process back before their time."""

    async def aclose(self) -> None:  # noqa: B027, a store in memory has nothing to close
        """Write what waits to be written, and close the connections."""
