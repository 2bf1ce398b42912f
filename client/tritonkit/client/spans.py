"""Spans around the parts of a call, where somebody traces it; nothing otherwise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType

__all__ = ["Tracing", "span", "trace_headers", "tracing"]


class Tracing(ABC):
    """Whoever traces the calls of a context."""

    @abstractmethod
    def span(self, name: str, **attributes: str | int) -> AbstractContextManager[object]:
        """A span within the one that is current."""

    @abstractmethod
    def headers(self) -> Sequence[tuple[str, str]]:
        """What tells a server of the current span; names in lower case."""


tracing: ContextVar[Tracing | None] = ContextVar("tritonkit_tracing", default=None)
"""Set by Telemetry for the calls that it traces, and for the tasks that these begin."""


class _Nothing:
    """The span of a call that nobody traces."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


_NOTHING = _Nothing()


def span(name: str, **attributes: str | int) -> AbstractContextManager[object]:
    """
    A span for what a layer does, within that of the call.

    Args:
        name: Such as "attempt".
        attributes: Short ones, of the layer's own making.
    """
    current = tracing.get()
    return _NOTHING if current is None else current.span(name, **attributes)


def trace_headers() -> Sequence[tuple[str, str]]:
    """What a transport sends along with a request, so that the server's spans join ours."""
    current = tracing.get()
    return () if current is None else current.headers()
