"""Which output of a graph is judged."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.errors import ConfigError
from tritonkit.repository import Tensor

__all__ = ["judged_output"]


def judged_output(
    outputs: Sequence[Tensor], wanted: str | None, comparison: str, *, where: str
) -> str:
    """
    The name of the output that is judged first.

    Args:
        outputs: The graph's, dims without the batch axis.
        wanted: The user's choice; None for the first one of floating point.
        comparison: "values" or "classes".
        where: What is exported, for errors.

    Raises:
        ConfigError: If there is no such output, or it cannot be compared so.
    """
    if comparison not in ("values", "classes"):
        raise ConfigError(f"{where} can be compared by values or classes, not by {comparison!r}.")
    floats = [t for t in outputs if t.data_type in ("TYPE_FP16", "TYPE_FP32", "TYPE_FP64")]
    by_name = {tensor.name: tensor for tensor in outputs}
    if wanted is not None and wanted not in by_name:
        raise ConfigError(f"{where} has no output {wanted!r}; it has {', '.join(by_name)}.")
    chosen = by_name[wanted] if wanted is not None else (floats or outputs)[0]
    if comparison == "classes" and (chosen not in floats or len(chosen.dims) != 1):
        raise ConfigError(
            f"{where}: the output {chosen.name!r} is {chosen.data_type} {list(chosen.dims)}, but "
            "classes are a row of floating-point numbers; name such an output, or compare values."
        )
    return chosen.name
