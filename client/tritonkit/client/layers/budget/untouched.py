"""Which errors cost nothing."""

from __future__ import annotations

from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    LimitExceeded,
    ModelUnavailable,
    NotKept,
    ServerOverloaded,
)

__all__ = ["nothing_computed"]

_UNTOUCHED = (
    BudgetExceeded,
    CircuitOpen,
    LimitExceeded,
    ModelUnavailable,
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
    behind = [error.__cause__, error.__context__]
    if isinstance(error, BaseExceptionGroup):
        behind += error.exceptions
    elif not isinstance(error, _UNTOUCHED):
        return False
    return all(nothing_computed(e, handled) for e in behind if e is not None and e is not handled)
