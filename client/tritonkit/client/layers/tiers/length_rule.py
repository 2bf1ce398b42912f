"""A rule by length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from tritonkit.client.layers.tiers.row_rule import Otherwise, RowRule, options
from tritonkit.client.layers.tiers.row_sizes import elements, texts
from tritonkit.client.types import InferRequest
from tritonkit.errors import ConfigError

__all__ = ["LengthRule", "Unit"]

Unit: TypeAlias = Literal["characters", "elements", "rows"]
"""What is counted."""


class LengthRule(RowRule):
    """
    Whether a row, or a request, is long.

    Args:
        most: What has more is dear.
        of: "characters" of the texts of a row, "elements" of its arrays, such as the
            pixels of an image, or "rows" of the request, which then goes one way as a
            whole.
        input: The input to measure; all of them together by default, for rows the first.
        otherwise: See `RowRule`.

    Raises:
        ConfigError: If an argument is wrong.
    """

    def __init__(
        self,
        most: int,
        *,
        of: Unit = "characters",
        input: str | None = None,
        otherwise: Otherwise = "dear",
    ) -> None:
        super().__init__(otherwise)
        if most < 0:
            raise ConfigError(f"most must not be negative, but got {most=}.")
        if of not in get_args(Unit):
            raise ConfigError(f"of must be one of {', '.join(get_args(Unit))}, but got {of!r}.")
        self.most, self.of, self.input = most, of, input
        self.reads = "texts" if of == "characters" else "arrays"

    def __repr__(self) -> str:
        return f"LengthRule({self.most}, {options(of=self.of, input=self.input)})"

    def verdicts(self, request: InferRequest) -> Sequence[bool] | bool | None:
        """Whether each row has more, or the request."""
        sizes: list[int] | None
        if self.of == "characters":
            found = texts(request, self.input)
            sizes = None if found is None else [sum(map(len, row)) for row in found]
        else:
            sizes = elements(request, self.input)
            if sizes is not None and self.of == "rows":
                # Of the first input, where all of them are measured.
                return _rows(request, self.input) > self.most
        return None if sizes is None else [size > self.most for size in sizes]


def _rows(request: InferRequest, name: str | None) -> int:
    return next(
        len(array) for key, array in request.inputs.items() if name in (None, key) and array.ndim
    )
