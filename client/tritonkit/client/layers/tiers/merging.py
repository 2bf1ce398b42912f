"""Answers to some rows of a request, put together in the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.rows import outputs_by_row
from tritonkit.client.trace import MODEL, Trace
from tritonkit.client.types import InferResponse, Tensors
from tritonkit.client.wire.datatypes import datatype_of
from tritonkit.errors import ConfigError

__all__ = ["Merged"]

V = TypeVar("V")


class Merged:
    """
    An answer of which rows are taken from answers of several routes.

    Args:
        count: Rows of the request.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._parts: list[tuple[Sequence[int], InferResponse, str]] = []
        self._owner = [0] * count

    def put(self, rows: Sequence[int], response: InferResponse, name: str) -> None:
        """
        Take the answer to some rows, in place of what was there.

        Args:
            rows: Which, in the order of the answer.
            response: To these rows only.
            name: Of the route that answered.

        Raises:
            ConfigError: If it does not go together with the answers of other routes.
        """
        if not outputs_by_row(response, len(rows)):
            raise ConfigError(f"route {name!r} must answer each of {len(rows)} rows by itself.")
        if self._parts:
            _, first, first_name = self._parts[0]
            mine, other = _shapes(response.outputs), _shapes(first.outputs)
            if mine != other:
                raise ConfigError(
                    "routes must answer outputs of the same names, types and shapes, but "
                    f"{name!r} answers {_listed(mine)}, and {first_name!r} {_listed(other)}."
                )
        for row in rows:
            self._owner[row] = len(self._parts)
        self._parts.append((rows, response, name))

    def response(self, degraded: str = "", outputs: Sequence[str] | None = None) -> InferResponse:
        """
        One answer; where it is of several models, its model is all of their names.

        Args:
            degraded: Why it is less than what was asked for.
            outputs: Names wanted; None, or none, for all.
        """
        used = sorted(set(self._owner))
        parts = [self._parts[part] for part in used]
        names = tuple([self._parts[part][2] for part in self._owner])
        first = parts[0][1]
        wanted = outputs or tuple(first.outputs)
        responses = [response for _, response, _ in parts]
        said = [degraded, *(response.trace.degraded for response in responses)]
        trace = Trace(
            origins=self._by_row("origins", MODEL),
            ages=self._by_row("ages", 0.0),
            tiers=names if len(set(names)) > 1 else names[:1],
            degraded="; ".join(dict.fromkeys(filter(None, said))),
            # What was asked in vain was asked.
            attempts=sum(response.trace.attempts for _, response, _ in self._parts),
            cost=sum(response.trace.cost for _, response, _ in self._parts),
            answer=next((r.trace.answer for r in responses if r.trace.answer), ""),
            arms=tuple(dict.fromkeys(arm for r in responses for arm in r.trace.arms)),
        )
        if len(parts) == 1 and list(parts[0][0]) == list(range(self._count)):
            return replace(
                first, outputs={name: first.outputs[name] for name in wanted}, trace=trace
            )
        # Nothing is kept under the name of a model that did not answer all of it.
        return replace(
            first,
            model="+".join(dict.fromkeys(response.model for response in responses)),
            version="+".join(dict.fromkeys(response.version for response in responses)),
            outputs={name: self._joined(name) for name in wanted},
            parameters={},
            trace=trace,
        )

    def _joined(self, name: str) -> NDArray[Any]:
        first = self._parts[0][1].outputs[name]
        text = first.dtype.kind in "SUO"
        joined = np.empty((self._count, *first.shape[1:]), np.object_ if text else first.dtype)
        for rows, response, _ in self._parts:
            joined[list(rows)] = response.outputs[name]
        joined.flags.writeable = False
        return joined

    def _by_row(self, field: str, missing: V) -> tuple[V, ...]:
        """A field of the traces, one for each row; none where no trace has any."""
        values: list[V] = [missing] * self._count
        told = False
        for part, (rows, response, _) in enumerate(self._parts):
            of_part = getattr(response.trace, field)
            if not of_part:
                continue
            for position, row in enumerate(rows):
                if self._owner[row] == part:
                    told = True
                    # One for the whole answer holds for each row of it.
                    one = len(of_part) != len(rows)
                    values[row] = of_part[0 if one else position]
        return tuple(values) if told else ()


def _shapes(outputs: Tensors) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {
        name: (datatype_of(array.dtype) or str(array.dtype), array.shape[1:])
        for name, array in outputs.items()
    }


def _listed(shapes: dict[str, tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{name}: {kind} {[-1, *shape]}" for name, (kind, shape) in shapes.items())
