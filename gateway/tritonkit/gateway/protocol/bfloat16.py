"""Which outputs are BF16, which a client hands out as float32."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Protocol

import numpy as np

from tritonkit.client.signature import Signature
from tritonkit.client.types import InferResponse
from tritonkit.errors import RequestError

__all__ = ["Bfloat16"]

_RENEW = 30.0
"""Seconds until a model is looked at again; it may be another one under the same name."""
_FLOAT32 = np.dtype("<f4")
_NONE: frozenset[str] = frozenset()


class _Read(Protocol):
    def __call__(
        self, model: str, version: str = ..., *, timeout: str | float | None = ...
    ) -> Awaitable[Signature]: ...


class Bfloat16:
    """
    What models say of their outputs, for `encode`.

    Args:
        read: `signature` of the client.
        clock: In seconds.
    """

    def __init__(self, read: _Read, *, clock: Callable[[], float] = monotonic) -> None:
        self._read = read
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[frozenset[str], float]] = {}

    def now(self, response: InferResponse) -> frozenset[str] | None:
        """Names of the BF16 outputs of an answer; None where the model has to be asked."""
        known = self._known.get((response.model, response.version))
        if known is not None and known[1] > self._clock():
            return known[0]
        if any(array.dtype == _FLOAT32 for array in response.outputs.values()):
            return None
        return _NONE

    async def __call__(self, response: InferResponse) -> frozenset[str]:
        """
        The same, after asking.

        Where no server tells, what was known last counts, and none are BF16 otherwise:
        the values are right then, and their type is FP32.
        """
        names = self.now(response)
        if names is not None:
            return names
        key = (response.model, response.version)
        try:
            signature = await self._read(response.model, response.version, timeout=1.0)
        except RequestError:
            names = self._known.get(key, (_NONE,))[0]
        else:
            outputs = signature.outputs.values()
            names = frozenset(spec.name for spec in outputs if spec.datatype == "BF16")
        self._known[key] = (names, self._clock() + _RENEW)
        return names
