"""The rows on which two models are furthest apart."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.shadow.compare import Compared
from tritonkit.client.types import Tensors

__all__ = ["Redact", "Worst", "WorstRow"]

Redact = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]] | None]
"""Takes a row's inputs, gives what of them may be kept; None keeps nothing of the row."""


@dataclass(frozen=True, slots=True, eq=False)
class WorstRow:
    """
    A row on which primary and shadow disagree.

    Args:
        severity: How far they are apart, as a part of what is tolerated.
        inputs: The row as it was asked, by input; redacted where a hook does so.
        primary: The primary's answer to it.
        shadow: The shadow's.
    """

    severity: float
    inputs: Mapping[str, NDArray[Any]]
    primary: Mapping[str, NDArray[Any]]
    shadow: Mapping[str, NDArray[Any]]

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "severity": self.severity if np.isfinite(self.severity) else None,
            "inputs": {name: _plain(array) for name, array in self.inputs.items()},
            "primary": {name: _plain(array) for name, array in self.primary.items()},
            "shadow": {name: _plain(array) for name, array in self.shadow.items()},
        }


class Worst:
    """
    As many rows as are to be kept, those that are furthest apart; of equals the first.

    For any thread; no lock is held while a hook is at work.

    Args:
        keep: How many.
        redact: Sees a row's inputs before they are kept.
    """

    def __init__(self, keep: int, redact: Redact | None = None) -> None:
        self.keep, self.redact = keep, redact
        self._heap: list[tuple[float, int, WorstRow]] = []
        self._count = 0
        self._lock = fork_safe_lock()

    def add(
        self, compared: Compared, inputs: Tensors, primary: Tensors, shadow: Tensors, rows: int
    ) -> None:
        """
        Keep those rows of an answer that are among the worst.

        Args:
            compared: Primary and shadow.
            inputs: Of the request.
            primary: Its answer.
            shadow: The other one.
            rows: Of each array; 0 where the answer is one whole.
        """
        if not self.keep:
            return
        for row in np.flatnonzero(~compared.agrees):
            severity = float(compared.severity[row])
            with self._lock:
                if len(self._heap) >= self.keep and severity <= self._heap[0][0]:
                    continue
            at = int(row) if rows else None
            kept: Mapping[str, NDArray[Any]] | None = _row(inputs, at)
            if self.redact is not None:
                kept = self.redact(kept or {})
            if kept is None:
                continue
            case = WorstRow(severity, dict(kept), _row(primary, at), _row(shadow, at))
            with self._lock:
                self._count += 1
                heapq.heappush(self._heap, (severity, -self._count, case))
                if len(self._heap) > self.keep:
                    heapq.heappop(self._heap)

    def rows(self) -> tuple[WorstRow, ...]:
        """The worst first."""
        with self._lock:
            ordered = sorted(self._heap, key=lambda one: one[:2], reverse=True)
        return tuple(case for _, _, case in ordered)


def _row(tensors: Tensors, row: int | None) -> dict[str, NDArray[Any]]:
    # A copy, for a part must not keep the whole alive.
    return {
        name: (array if row is None or row >= len(array) else array[row : row + 1]).copy()
        for name, array in tensors.items()
    }


def _plain(array: NDArray[Any]) -> Any:
    if array.dtype.kind in "OS":
        texts = [
            item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
            for item in array.ravel().tolist()
        ]
        return np.array(texts, dtype=object).reshape(array.shape).tolist()
    if array.dtype.kind == "f":
        # JSON has no word for what is no number.
        plain = array.astype(object)
        plain[~np.isfinite(array)] = None
        return plain.tolist()
    return array.tolist()
