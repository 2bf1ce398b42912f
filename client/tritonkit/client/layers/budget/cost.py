"""What a request costs, before it is made and after it is answered."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonkit.client.layers.budget.limits import Unit, micro_units
from tritonkit.client.layers.rows import count_rows
from tritonkit.client.stack import Transport
from tritonkit.client.trace import MODEL, Trace
from tritonkit.client.types import InferRequest

__all__ = ["Bill", "Costs", "Price", "Pricing"]


@dataclass(frozen=True, slots=True)
class Bill:
    """
    What one attempt at a request costs, in micro-units.

    Args:
        rows: Each of its rows; one where it has none to count.
        call: Once, if anything is computed.
        known: Whether anybody said so; otherwise nobody knows, and the amounts are 0.
    """

    rows: tuple[int, ...]
    call: int = 0
    known: bool = True

    def most(self, unit: Unit, attempts: int = 1) -> int:
        """The most that *attempts* can come to."""
        return self._of(unit, len(self.rows), sum(self.rows), attempts)

    def spent(self, unit: Unit, trace: Trace) -> int:
        """
        What an answer came to: rows that a cache had, or that another request computed, are free.

        A trace that tells nothing of rows tells that all are the model's.
        """
        origins, attempts = trace.origins, max(1, trace.attempts)
        if len(origins) == len(self.rows):
            computed = [
                cost for cost, origin in zip(self.rows, origins, strict=True) if origin == MODEL
            ]
        elif origins and MODEL not in origins:
            computed = []
        else:
            computed = list(self.rows)
        if self.rows and not computed:
            return 0
        return self._of(unit, len(computed), sum(computed), attempts)

    def _of(self, unit: Unit, rows: int, cost: int, attempts: int) -> int:
        each = {"calls": 1, "rows": rows, "": self.call + cost}[unit]
        return each * attempts


class Pricing(ABC):
    """Says what requests cost."""

    @abstractmethod
    def bill(self, request: InferRequest) -> Bill:
        """What one attempt at *request* costs. It is asked before, and holds afterwards."""

    def attach(self, transport: Transport) -> None:  # noqa: B027, most prices are written down
        """Learn of the server that will be asked."""

    async def aclose(self) -> None:  # noqa: B027, likewise
        """Stop whatever goes on."""


@dataclass(frozen=True, slots=True)
class Price:
    """
    What a model costs.

    A row costs whole millionths, rounded up.

    Args:
        call: Each request.
        row: Each row.
        token: Each token of a row: the ones of its `attention_mask`, or the numbers in its
            `input_ids`, or else the words of its texts, as white space parts them.

    Raises:
        ConfigError: If a price is no number, negative or not finite.
    """

    call: str | float | Decimal = 0
    row: str | float | Decimal = 0
    token: str | float | Decimal = 0
    _exact: tuple[Fraction, Fraction, Fraction] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        values = {"call": self.call, "row": self.row, "token": self.token}
        exact = [micro_units(value, name=name) for name, value in values.items()]
        object.__setattr__(self, "_exact", tuple(exact))

    def bill(self, request: InferRequest) -> Bill:
        """What one attempt at *request* costs."""
        call, row, token = self._exact
        if token:
            each = tuple(math.ceil(row + token * count) for count in tokens(request))
        else:
            each = (math.ceil(row),) * count_rows(request)
        return Bill(each, math.ceil(call))


class Costs(Pricing):
    """
    Prices by model, as they are written down.

    Args:
        prices: By name of the model.
        default: Of every other model. None: a request for it is denied where a quota
            counts money, since nobody knows what it costs.
    """

    def __init__(
        self, prices: Mapping[str, Price] | None = None, *, default: Price | None = None
    ) -> None:
        self.prices = dict(prices or {})
        self.default = default

    def __repr__(self) -> str:
        return f"Costs({self.prices!r}, default={self.default!r})"

    def bill(self, request: InferRequest) -> Bill:
        """What one attempt at *request* costs."""
        price = self.prices.get(request.model, self.default)
        if price is None:
            return Bill((0,) * count_rows(request), known=False)
        return price.bill(request)


def tokens(request: InferRequest) -> list[int]:
    """Tokens of each row; see Price."""
    count = count_rows(request)
    for name in ("attention_mask", "input_ids"):
        array = request.inputs.get(name)
        if array is not None and array.ndim and len(array) == count:
            flat = array.reshape(count, -1)
            if name == "input_ids":
                return [flat.shape[1]] * count
            return [int(number) for number in np.count_nonzero(flat, axis=1)]
    words = [0] * count
    for array in request.inputs.values():
        if array.dtype.kind in "OSUT" and array.ndim and len(array) == count:
            for index, row in enumerate(array):
                words[index] += _words(row)
    return words


def _words(row: NDArray[Any] | str | bytes) -> int:
    texts = row.ravel().tolist() if isinstance(row, np.ndarray) else [row]
    return sum(len(text.split()) for text in texts if isinstance(text, (str, bytes)))
