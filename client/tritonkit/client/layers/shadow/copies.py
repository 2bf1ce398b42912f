"""Copies of requests on their way to a shadow, and how many there may be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.types import InferRequest, InferResponse, Parameter, Tensors

__all__ = ["Copy", "Room", "frozen", "size"]


class Room:
    """
    Of a bounded number of copies and bytes; what finds none is dropped, the newest.

    Args:
        most: Copies at a time.
        most_bytes: Of their arrays.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self.most, self.most_bytes = most, most_bytes
        self.held = self.bytes = 0
        self._lock = fork_safe_lock()

    def take(self, size: int) -> bool:
        """A place for a copy of so many bytes, if there is one."""
        with self._lock:
            if self.held >= self.most or self.bytes + size > self.most_bytes:
                return False
            self.held += 1
            self.bytes += size
            return True

    def more(self, size: int) -> bool:
        """So many bytes more for a copy that has its place, if there are."""
        with self._lock:
            if self.bytes + size > self.most_bytes:
                return False
            self.bytes += size
            return True

    def give(self, size: int) -> None:
        """A place, and the bytes of its copy, back."""
        with self._lock:
            self.held -= 1
            self.bytes -= size


class Copy:
    """
    A request that a shadow is to answer as well, and the primary's answer once it is there.

    Arrays belong to the caller, who may change them when he has his answer. So they are
    copied before: while the primary is at work where it takes any time, else just before
    its answer is handed on. Of the answer only arrays that can be written are copied.
    """

    def __init__(self, request: InferRequest, size: int) -> None:
        self.request = request
        self.size = size
        self.inputs: Tensors | None = None
        self.tags: Mapping[str, str] = {}
        self.parameters: Mapping[str, Parameter] = {}
        self.primary: InferResponse | None = None
        self.outputs: Tensors = {}
        self.seconds: float | None = None
        self.dropped = False
        """Whether there was no room for the primary's answer."""
        self.over: asyncio.Event | None = None
        """Set when it is known whether the primary answers; None where it did already."""

    @property
    def left(self) -> str:
        """What becomes of it where there is no answer of the primary's to compare with."""
        return "dropped" if self.dropped else "abandoned"

    def own(self) -> Tensors:
        """The inputs; copied the first time, with all else that belongs to the caller."""
        if self.inputs is None:
            self.tags, self.parameters = dict(self.request.tags), dict(self.request.parameters)
            self.inputs = {name: frozen(array) for name, array in self.request.inputs.items()}
        return self.inputs

    def answered(self, response: InferResponse) -> None:
        """The primary's answer, before the caller has it."""
        self.own()
        self.primary = response
        self.outputs = {
            name: frozen(array) if array.flags.writeable else array
            for name, array in response.outputs.items()
        }


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only copy."""
    copy = np.array(array, order="K", subok=False)
    copy.flags.writeable = False
    return copy


def size(tensors: Tensors) -> int:
    """Bytes of their values, those of text included."""
    total = 0
    for array in tensors.values():
        total += array.nbytes
        if array.dtype.kind == "O":
            texts = array.ravel().tolist()
            total += sum(len(text) for text in texts if isinstance(text, (str, bytes)))
    return total
