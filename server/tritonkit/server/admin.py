"""What a server says of its models, over its HTTP port."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

__all__ = ["ModelState", "model_states"]

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


def model_states(host: str, port: int) -> tuple[ModelState, ...]:
    """
    The repository's index, in the server's order.

    Raises:
        OSError: If the server is gone, or has none: it could not read the repository.
    """
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request("POST", "/v2/repository/index")
        body = connection.getresponse().read()
    except http.client.HTTPException as error:
        raise OSError(f"the server broke off its answer: {error!r}") from error
    finally:
        connection.close()
    index = json.loads(body)
    if isinstance(index, dict):
        raise OSError(f"the server has no index of its models: {index.get('error', '')}")
    return tuple(
        ModelState(e["name"], e.get("version", ""), e.get("state", ""), e.get("reason", ""))
        for e in index
    )
