"""The few questions that a starting server is asked, over its HTTP port."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

__all__ = ["ModelState", "is_live", "model_states"]

_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class ModelState:
    """
    One version of a model as the server's index lists it.

    Args:
        name: The model.
        version: The version; empty where none was loaded.
        state: "READY", "UNAVAILABLE", "LOADING", "UNLOADING", or empty for a model
            that nobody asked for.
        reason: Why it is not ready, in Triton's words.
    """

    name: str
    version: str
    state: str
    reason: str


def is_live(host: str, port: int) -> bool:
    """Whether the server answers at all; it does so once it tried to load every model."""
    try:
        status, _ = _request(host, port, "GET", "/v2/health/live")
    except (OSError, http.client.HTTPException):
        return False
    return status == 200


def model_states(host: str, port: int) -> tuple[ModelState, ...]:
    """
    The repository's index, in the server's order.

    Raises:
        OSError: If the server is gone.
    """
    _, entries = _request(host, port, "POST", "/v2/repository/index")
    return tuple(
        ModelState(e["name"], e.get("version", ""), e.get("state", ""), e.get("reason", ""))
        for e in entries
    )


def _request(host: str, port: int, method: str, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    return response.status, json.loads(body) if body else None
