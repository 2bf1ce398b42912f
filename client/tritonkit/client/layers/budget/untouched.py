"""Which errors cost nothing."""

from __future__ import annotations

from asyncio import CancelledError

from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    LimitExceeded,
    ModelUnavailable,
    NotConnected,
    NotKept,
    RequestError,
    ServerOverloaded,
)

__all__ = ["nothing_computed"]

_UNTOUCHED = (
    BudgetExceeded,
    CircuitOpen,
    LimitExceeded,
    ModelUnavailable,
    NotConnected,
    NotKept,
    ServerOverloaded,
)


def nothing_computed(error: BaseException, handled: BaseException | None) -> bool:
    """
    Whether the model surely computed nothing, also in what led to *error*.

    Args:
        error: Any.
        handled: What the caller was dealing with before: no business of ours.
    """
    seen = set() if handled is None or handled is error else {handled}
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or one in seen:
            continue
        seen.add(one)
        if isinstance(one, BaseExceptionGroup):
            left += one.exceptions
        elif not isinstance(one, _UNTOUCHED):
            return False
        elif one.__cause__ is not None and _translated(one, one.__cause__):
            seen.add(one.__cause__)
        left += [one.__cause__, one.__context__]
    return True


def _translated(error: BaseException, cause: BaseException) -> bool:
    """Whether *cause* is no other attempt, but the same failure in the words of a library."""
    if isinstance(cause, RequestError):
        return False
    return isinstance(error, NotConnected) or not isinstance(cause, (TimeoutError, CancelledError))
