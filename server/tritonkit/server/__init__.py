"""A real tritonserver: embedded, or in a container."""

from __future__ import annotations

from tritonkit.server.embedded import EmbeddedServer

__all__ = ["EmbeddedServer"]
