"""What a traced module is tried on, besides what it was traced with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tritonkit.errors import ConfigError
from tritonkit.export.sources.torch.example_rows import opposite, random_like, resized

__all__ = ["Columns", "FreeAxes", "free_axes", "other_numbers", "other_sizes"]

Columns: TypeAlias = dict[str, NDArray[Any]]
"""A batch of inputs, by name."""

FreeAxes: TypeAlias = dict[str, list[tuple[str, int]]]
"""By the name of a size: the inputs and axes that have it."""

_ROWS = 3
_STEPS: tuple[Callable[[int], int], ...] = (
    lambda size: size + 1,
    lambda size: size - 1,
    lambda size: 2 * size,
    lambda size: size // 2,
)
"""Other sizes of an axis; some modules take only multiples, or only smaller ones."""


def free_axes(examples: Columns, axes: Mapping[str, Mapping[int, str]]) -> FreeAxes:
    """
    Axes of inputs that are of any size, without the batch.

    Raises:
        ConfigError: If *axes* names one that an input does not have.
    """
    found: FreeAxes = {}
    for key, example in examples.items():
        for axis, name in axes.get(key, {}).items():
            if not 0 <= axis < example.ndim:
                raise ConfigError(
                    f"dynamic_axes names axis {axis} of {key!r}, which has 0 to {example.ndim - 1}."
                )
            if axis > 0:
                found.setdefault(name, []).append((key, axis))
    return found


def other_numbers(examples: Columns) -> list[Columns]:
    """Batches of the examples, then of other numbers, of three rows and of one."""
    generator = np.random.default_rng(1)
    three = _three(examples)
    others = [
        {name: opposite(array) for name, array in three.items()},
        {name: random_like(array, _ROWS, generator) for name, array in examples.items()},
    ]
    singles = [{n: a[row : row + 1] for n, a in c.items()} for c in others for row in range(_ROWS)]
    return [three, *others, *singles]


def other_sizes(
    examples: Columns, free: FreeAxes, answer: Callable[[Columns], object]
) -> list[Columns]:
    """
    Batches with other sizes of the free axes: each changed alone, and all together.

    Args:
        examples: What they are made of.
        free: The axes to change.
        answer: Lets the module answer a batch; raises ConfigError where it cannot. Sizes
            can depend on each other, so not every change need work.

    Raises:
        ConfigError: If no other size of one works.
    """
    trials: list[Columns] = []
    answered: set[str] = set()
    refusal = ""
    for names in [*([name] for name in free), *([list(free)] if len(free) > 1 else [])]:
        places = [place for name in names for place in free[name]]
        for step in _STEPS:
            columns = _three(examples)
            for key, axis in places:
                columns[key] = resized(columns[key], axis, max(1, step(columns[key].shape[axis])))
            if all(columns[key].shape[1:] == examples[key].shape[1:] for key, _ in places):
                continue
            try:
                answer(columns)
            except ConfigError as error:
                refusal = str(error)
                continue
            trials.append(columns)
            answered.update(names)
            break
    for name in free:
        if name not in answered:
            raise ConfigError(
                f"dynamic_axes says that {name!r} is of any size, but no other size than the "
                f"example's works: {refusal}"
            )
    return trials


def _three(examples: Columns) -> Columns:
    """Its rows, over again where there are fewer."""
    return {name: resized(array, 0, _ROWS) for name, array in examples.items()}
