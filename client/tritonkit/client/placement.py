"""Which of several servers a request goes to: what the layers above wish, and learn of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextvars import ContextVar

__all__ = ["Placement", "placements", "spare"]


class Placement(ABC):
    """
    What a layer wishes of the choice between servers, for one request.

    A layer adds its own to `placements` for as long as it calls inner; a transport of
    several servers asks each of them, the outermost first. A wish that no
    server suits is passed over: it is no reason to fail.
    """

    __slots__ = ()

    spare: bool = False
    """Whether the request is one that could be left out, such as a second one."""

    @abstractmethod
    def suits(self, server: str) -> bool:
        """Whether the request may go to the server of that name."""

    def begin(self, server: str) -> None:  # noqa: B027, who has a wish need not learn
        """It goes there now; `end` follows."""

    def end(self, server: str) -> None:  # noqa: B027, likewise
        """It is not there any more."""


placements: ContextVar[tuple[Placement, ...]] = ContextVar("tritonkit.placements", default=())
"""The wishes of the layers above, the outermost first."""


def spare(wishes: tuple[Placement, ...]) -> bool:
    """Whether a layer above says that the request could be left out."""
    return any(wish.spare for wish in wishes)
