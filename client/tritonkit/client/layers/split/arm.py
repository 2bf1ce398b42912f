"""One of the ways that are compared."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tritonkit.client.experiments.events import is_text
from tritonkit.client.route import Route
from tritonkit.client.stack import Immediate, Layer, Transport, chain_now, not_now
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.errors import ConfigError

__all__ = ["Arm"]


class Arm(Route):
    """
    A route to an answer, and how many units take it.

    Whatever differs may be said: a model, a version, a server, or layers, which may be
    a whole stack with tiers and a cache of its own. Layers of an arm are its own: their
    breakers, caches and latencies know nothing of the other arms.

    Args:
        name: What traces, logs and reports call it.
        weight: Its part of the units, as a ratio to the other arms' weights; 0 for nobody.
        model: The model to ask; the request's own by default. It takes the same inputs.
        version: Its version; the request's own by default.
        timeout: The most that one call may take; None leaves it to the request's deadline.
        layers: In front of this arm alone.
        server: A URL, several of them, or a transport; the client's own server by default.
        revision: Whatever you like: change it with anything that makes it another arm and
            is not seen by itself, such as a layer's option or what a server serves.

    Raises:
        ConfigError: If an argument is wrong.
    """

    kind = "arm"

    def __init__(
        self,
        name: str,
        *,
        weight: float = 1.0,
        model: str = "",
        version: str = "",
        timeout: str | float | timedelta | None = None,
        layers: Sequence[Layer] = (),
        server: str | Sequence[str] | Transport | None = None,
        revision: str = "",
    ) -> None:
        if not is_text(name):
            raise ConfigError(f"name must be text of 1 to 1000 characters, but got {name!r}.")
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight < 0:
            raise ConfigError(f"weight must be finite and not negative, but got {weight=}.")
        if revision and not is_text(revision):
            raise ConfigError(f"revision must be text of 1000 characters, but got {revision!r}.")
        super().__init__(
            name, model=model, version=version, timeout=timeout, layers=layers, server=server
        )
        self.weight = weight
        self.revision = revision

    def __repr__(self) -> str:
        return f"Arm({super().__repr__()[len('Route(') : -1]}, weight={self.weight:g})"

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        """
        What makes it another arm: name, model, version, revision, and what it is made of.

        That is the kinds of its layers, and the names, models and versions of the routes
        in them. Not their options, nor any server's address, for both may differ from process
        to process: of a server only whether the arm has its own.
        """
        made_of = json.dumps(_made_of(self))
        return self.name, self.model, self.version, self.revision, made_of

    def now(self, request: InferRequest, inner: Immediate) -> InferResponse | None:
        """What its layers, or those below, have without waiting."""
        below = inner if self.server is None else not_now
        return chain_now(self.layers, below)(self.request(request))


def _made_of(route: Route) -> list[Any]:
    layers = [
        [
            type(layer).__name__,
            *(
                [name, inner.model, inner.version, *_made_of(inner)]
                for _, name, inner in layer.inside()
            ),
        ]
        for layer in route.layers
    ]
    return [route.server is not None, layers]
