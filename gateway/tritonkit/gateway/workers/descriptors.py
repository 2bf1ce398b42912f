"""File descriptors: one for each connection, and some more."""

from __future__ import annotations

import logging
import resource

__all__ = ["allow_descriptors"]

_log = logging.getLogger(__name__)

_OTHERS = 512
"""For connections to servers and stores, files, and clients that are told to go."""


def allow_descriptors(connections: int) -> None:
    """
    Let this process have as many files open as it may need.

    Many systems begin a process with 1,024 and let it take more.

    Args:
        connections: Of clients, at most.
    """
    needed = connections + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    if soft == infinite or soft >= needed:
        return
    allowed = needed if hard == infinite else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        _log.warning(
            "max_connections = %d needs %d open files, but the system allows %d (ulimit -Hn)",
            connections,
            needed,
            allowed,
        )
