"""Redis as out of reach, on purpose: to see what happens without it."""

from __future__ import annotations

from tritonkit.extras import require

__all__ = ["Outage", "outage"]


class Outage:
    """
    While it is on, nothing of this process gets a connection to any Redis.

    What is under way gets its answer still. For who tries what stores, ledgers and logs do
    then; nothing in tritonkit's client turns it on.
    """

    def __init__(self) -> None:
        self.on = False

    def check(self) -> None:
        """
        Whether there may be a connection.

        Raises:
            redis.exceptions.ConnectionError: If not.
        """
        if self.on:
            kind = require("redis.exceptions", extra="redis").ConnectionError
            raise kind("connection refused, on purpose")


outage = Outage()
"""Of this process. An outage is one of the whole process, so it is one for all servers."""
