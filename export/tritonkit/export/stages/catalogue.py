"""The recipe for each precision."""

from __future__ import annotations

from tritonkit.errors import ConfigError
from tritonkit.export.stages.recipe import PRECISIONS, Recipe
from tritonkit.export.stages.recipes import Dynamic, Half, Mixed, Single, Static, WeightOnly

__all__ = ["standard"]


def standard(precision: str) -> Recipe:
    """
    The recipe for a precision that is asked for by name.

    Raises:
        ConfigError: If it is not one of PRECISIONS.
    """
    if precision not in _STANDARD:
        raise ConfigError(
            f"precision must be one of {', '.join(PRECISIONS)}, but got {precision!r}."
        )
    return _STANDARD[precision]


_STANDARD: dict[str, Recipe] = {
    "fp32": Single(),
    "fp16": Half(),
    "int8": Dynamic(),
    "int8_static": Static(),
    "w8": WeightOnly(bits=8),
    "w4": WeightOnly(bits=4),
    "mixed": Mixed(),
}
