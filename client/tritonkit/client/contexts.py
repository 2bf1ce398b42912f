"""Context variables that are set for as long as a call takes."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TypeVar

__all__ = ["restore"]

T = TypeVar("T")


def restore(variable: ContextVar[T], token: Token[T]) -> None:
    """
    Give *variable* the value that it had before.

    A coroutine that is thrown away is ended wherever the garbage collector happens to run, mostly
    in the context of another call: nothing of that is changed.
    """
    try:
        variable.reset(token)
    except ValueError:
        return
