"""A load that runs, whatever its shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from tritonkit.bench.record.recorder import Recorder

__all__ = ["Loop"]


class Loop(ABC):
    """
    Issues requests while its context is open, and writes down every outcome.

    The recorder holds all of them from the start of the load, the warm-up's too;
    whoever measures cuts a window out of it. Instants are nanoseconds from that
    start. What fails is recorded, never raised.

    Leaving the context awaits what is in flight, unless the load is interrupted.
    """

    @abstractmethod
    async def __aenter__(self) -> Self:
        """
        Start the load.

        Raises:
            RequestError: If the server's name stands for no address.
            LoadError: If a process of it cannot start.
        """

    @abstractmethod
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the load."""

    @property
    @abstractmethod
    def recorder(self) -> Recorder:
        """Every outcome; of several processes, once the context was left."""

    @property
    @abstractmethod
    def ended(self) -> int:
        """Requests that were answered or failed since the start."""

    @property
    @abstractmethod
    def now_ns(self) -> int:
        """Nanoseconds since the start."""

    @property
    @abstractmethod
    def pids(self) -> tuple[int, ...]:
        """The processes that send; this one alone where there are no others."""

    @abstractmethod
    async def until(
        self, seconds: float | None, *, requests: int | None = None, since_ns: int = 0
    ) -> int:
        """
        Let the load run, until one of the limits or an interrupt.

        Args:
            seconds: From the start of the load; None for no limit.
            requests: So many more outcomes; what follows is not recorded any more.
                Several processes take equal shares, and the last decides.
            since_ns: Outcomes of an earlier instant do not count. To be exact, wait
                from before that instant on.

        Returns:
            The instant at which it ended, by count that of the last outcome. A recorded
            trace ends it too, when its last request has ended.
        """

    @abstractmethod
    async def settle(self) -> None:
        """
        Let the load run until what has come so far has ended, at most its timeout.

        Returns at once in a closed loop, which counts by the end.
        """
