"""Which outputs are BF16, which a client hands out as float32."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import inf
from time import monotonic
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.tiers.constant import CONSTANT
from tritonkit.client.types import InferResponse
from tritonkit.errors import ProtocolError, RequestError, ServerUnavailable

__all__ = ["Bfloat16", "may_be_bfloat16"]

_RENEW = 1.0
"""
Seconds until a model is looked at again, as a cache does; it may be another one under the
same name.
"""
_TIMEOUT = 1.0
_FEW = 64
_LOWER = np.uint32(0xFFFF)
_NONE: frozenset[str] = frozenset()


class _Ask(Protocol):
    def __call__(
        self, model: str, version: str = ..., *, timeout: str | float | None = ...
    ) -> Awaitable[Mapping[str, Any]]: ...


class _Known(NamedTuple):
    names: frozenset[str]
    until: float


class Bfloat16:
    """
    What models say of their outputs, for `encode`.

    A number that was BF16 ends in 16 zeros as a float32, so most answers tell by themselves
    that they have no such output, and nobody is asked.

    Args:
        ask: `metadata` of the client.
        clock: In seconds.
    """

    def __init__(self, ask: _Ask, *, clock: Callable[[], float] = monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._known: dict[tuple[str, str], _Known] = {}
        self._away = -inf
        """Until when nobody is asked for the sake of a last resort."""

    def now(self, response: InferResponse) -> frozenset[str] | None:
        """Names of the BF16 outputs of an answer; None where the model has to be asked."""
        if not any(array.dtype.kind == "f" for array in response.outputs.values()):
            return _NONE
        known = self._known.get((response.model, response.version))
        if CONSTANT in response.trace.tiers:
            # Its numbers are somebody's own, which say nothing of the model.
            if known is not None:
                return known.names
            return _NONE if self._clock() < self._away else None
        maybe = _maybe(response)
        if not maybe:
            return _NONE
        if known is None or known.until <= self._clock():
            return None
        return known.names & maybe

    async def __call__(self, response: InferResponse) -> frozenset[str]:
        """
        The same, after asking.

        Where no server tells, what was known last counts.

        Raises:
            ServerUnavailable: If nothing is known: the answer would be of one type or the other
                by chance.
        """
        names = self.now(response)
        if names is not None:
            return names
        key = (response.model, response.version)
        known = self._known.get(key)
        if known is not None:
            # One asks, and the others need not wait.
            self._known[key] = _Known(known.names, self._clock() + _TIMEOUT)
        try:
            metadata = await self._ask(response.model, response.version, timeout=_TIMEOUT)
            self._known[key] = _Known(
                _named(metadata.get("outputs"), response.model), self._clock() + _RENEW
            )
        except RequestError as error:
            if CONSTANT in response.trace.tiers:
                # The last resort answers whatever is away.
                self._away = self._clock() + _RENEW
                return _NONE
            if key not in self._known:
                raise ServerUnavailable(
                    f"the server answered, but whether {', '.join(sorted(_maybe(response)))} of "
                    f"model {response.model!r} is BF16 or FP32 could not be asked: {error}",
                    model=response.model,
                ) from error
        names = self._known[key].names
        return names if CONSTANT in response.trace.tiers else names & _maybe(response)


def may_be_bfloat16(array: NDArray[Any]) -> bool:
    """Whether the array can be BF16 that was widened to float32; an empty one can."""
    if array.dtype.kind != "f" or array.dtype.itemsize != 4:
        return False
    bits = array.astype("<f4", copy=False).reshape(-1).view("<u4")
    return not (bits[:_FEW] & _LOWER).any() and not (bits[_FEW:] & _LOWER).any()


def _maybe(response: InferResponse) -> frozenset[str]:
    outputs = response.outputs.items()
    return frozenset(name for name, array in outputs if may_be_bfloat16(array))


def _named(outputs: Any, model: str) -> frozenset[str]:
    try:
        return frozenset(each["name"] for each in outputs if each["datatype"] == "BF16")
    except (TypeError, KeyError) as error:
        raise ProtocolError(
            f"the metadata of {model!r} has no types of outputs: {outputs!r:.200}", model=model
        ) from error
