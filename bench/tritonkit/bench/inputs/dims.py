"""The sizes that dynamic dimensions become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tritonkit.client import TensorSpec
from tritonkit.client.wire.datatypes import DATATYPES
from tritonkit.errors import ConfigError

__all__ = ["DYNAMIC_SIZE", "Dim", "Spread", "chosen_dims", "draw_sizes", "model_dims", "of_tokens"]

DYNAMIC_SIZE = 16
"""What a dynamic dimension of a numeric input becomes: a short sentence in tokens."""


@dataclass(frozen=True, slots=True)
class Spread:
    """
    A size that each request draws anew, every one of them equally often.

    Args:
        low: The smallest.
        high: The largest.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ConfigError(
                f"a spread of sizes goes from the smaller to the larger, such as 8..128, "
                f"but got {self}."
            )

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


Dim: TypeAlias = int | Spread
"""A size, or the spread it is drawn from."""


def model_dims(spec: TensorSpec) -> tuple[int, ...]:
    """The model's shape without the batch dimension; -1 is dynamic."""
    return spec.shape[1:] if spec.batched else spec.shape


def chosen_dims(
    specs: Sequence[TensorSpec], given: Mapping[str, Sequence[Dim]]
) -> dict[str, tuple[Dim, ...]]:
    """
    Shapes without the batch dimension and without dynamic ones, by name.

    Integer inputs of one dynamic dimension are ids, masks and segments of the same
    tokens: those without a shape of their own have that of the first which has one.

    Raises:
        ConfigError: If a given shape is not a case of the model's.
    """
    chosen = {spec.name: _fixed(spec, given.get(spec.name)) for spec in specs}
    like = next((chosen[s.name] for s in specs if s.name in given and of_tokens(s)), None)
    if like is not None:
        for spec in specs:
            if spec.name not in given and of_tokens(spec):
                chosen[spec.name] = like
    return chosen


def draw_sizes(
    dims: Mapping[str, Sequence[Dim]], rng: np.random.Generator
) -> dict[str, tuple[int, ...]]:
    """
    The shapes of one request.

    Inputs with the same spread get the same size; a second one like it inside one
    shape, as of a height and a width, is drawn for itself.
    """
    drawn: dict[tuple[Spread, int], int] = {}
    shapes = {}
    for name, wanted in dims.items():
        sizes: list[int] = []
        seen: list[Spread] = []
        for dim in wanted:
            if isinstance(dim, Spread):
                key = dim, seen.count(dim)
                seen.append(dim)
                if key not in drawn:
                    drawn[key] = int(rng.integers(dim.low, dim.high, endpoint=True))
                dim = drawn[key]
            sizes.append(dim)
        shapes[name] = tuple(sizes)
    return shapes


def of_tokens(spec: TensorSpec) -> bool:
    """Whether an input has a value for each token, as ids, masks and segments have."""
    return DATATYPES[spec.datatype].kind in "iu" and model_dims(spec) == (-1,)


def _fixed(spec: TensorSpec, given: Sequence[Dim] | None) -> tuple[Dim, ...]:
    dims = model_dims(spec)
    if given is None:
        size = 1 if spec.datatype == "BYTES" else DYNAMIC_SIZE
        return tuple(size if dim < 0 else dim for dim in dims)
    fits = len(given) == len(dims) and all(
        dim in (-1, wanted) for dim, wanted in zip(dims, given, strict=True)
    )
    if not fits or any(isinstance(dim, int) and dim < 0 for dim in given):
        raise ConfigError(
            f"shape of input {spec.name!r} must fit {list(dims)} "
            f"(without the batch dimension), but got [{', '.join(map(str, given))}]."
        )
    return tuple(given)
